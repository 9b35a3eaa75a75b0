//! The machines that are compared with the interpreter.

use super::Gpu;
use super::start::Start;
use crate::base::Span;
use crate::codegen::{self, Instance};
use crate::diag::Diagnostic;
use crate::graph::{Graph, OutputKind};
use crate::loops::{Fusion, Program};
use crate::pipeline;
use crate::runtime::data::Values;
use crate::runtime::session;
use std::sync::Arc;

/// A way of running a graph in `f32`.
pub trait Side {
    /// What it runs on, for people.
    fn device(&self) -> String;

    /// Runs a rewritten graph whose sizes are numbers; gives its outputs, all `f32`, in the graph's order.
    fn run(&mut self, graph: &Graph, start: &Start) -> Result<Vec<Vec<f32>>, Box<Diagnostic>>;
}

/// Compiled code on this machine's processor.
pub struct Cpu {
    threads: usize,
}

impl Cpu {
    /// 0 threads: as many as the machine has cores.
    pub fn new(threads: usize) -> Cpu {
        Cpu { threads: if threads == 0 { session::default_threads() } else { threads } }
    }
}

impl Side for Cpu {
    fn device(&self) -> String {
        session::host()
    }

    fn run(&mut self, graph: &Graph, start: &Start) -> Result<Vec<Vec<f32>>, Box<Diagnostic>> {
        let program = pipeline::lower(graph, &start.bindings, &Fusion::CPU);
        let options = codegen::Options { threads: self.threads, ..codegen::Options::default() };
        let mut instance = Instance::new(program, &options);
        for (name, leaf) in &start.leaves {
            // Rewriting may have found that a leaf does not matter.
            let Some(id) = instance.buffer(name) else { continue };
            match &leaf.values {
                Values::U8(values) => instance.u8_mut(id).copy_from_slice(values),
                Values::I32(values) => instance.i32_mut(id).copy_from_slice(values),
                Values::F32(values) => instance.f32_mut(id).copy_from_slice(values),
            }
        }
        instance.step(start.seed, start.step);
        let after = |name: &str| instance.buffer(name).map(|id| instance.f32(id).to_vec());
        let results = results(graph, instance.program(), start);
        Ok(results.map(|(name, before)| after(&name).unwrap_or(before)).collect())
    }
}

/// For each output of a graph the buffer that holds it after a run, and what it is where the program has none:
/// a weight that the step leaves as it was.
pub fn results<'a>(
    graph: &'a Graph,
    program: &'a Program,
    start: &'a Start,
) -> impl Iterator<Item = (Arc<str>, Vec<f32>)> + 'a {
    graph.outputs.iter().map(|output| match output.kind {
        OutputKind::Update(leaf) => {
            let name = graph.leaves[leaf].name.clone();
            let before = match start.leaves.get(&name).map(|leaf| &leaf.values) {
                Some(Values::F32(before)) => before.clone(),
                Some(Values::U8(_) | Values::I32(_)) | None => panic!("verify: `{name}` is a weight"),
            };
            (name, before)
        }
        OutputKind::Loss | OutputKind::Metric | OutputKind::Value => {
            let found = program.outputs.iter().find(|(name, _)| *name == output.name);
            let (_, id) = found.expect("loops: a program hands out what its graph does");
            (program.buffers[*id].name.clone(), Vec::new())
        }
    })
}

/// The GPU; or none, and a note why.
///
/// # Errors
/// If one is required and there is none.
pub fn gpu(wish: Gpu, at: Span, notes: &mut Vec<String>) -> Result<Option<Box<dyn Side>>, Box<Diagnostic>> {
    let why = match wish {
        Gpu::LeftOut => return Ok(None),
        Gpu::IfThere | Gpu::Required => match open(at) {
            Ok(gpu) => return Ok(Some(gpu)),
            Err(why) => why,
        },
    };
    match wish {
        Gpu::Required => Err(why),
        Gpu::IfThere | Gpu::LeftOut => {
            notes.push(format!("interpreter and processor alone: {}", why.message));
            Ok(None)
        }
    }
}

#[cfg(feature = "gpu")]
fn open(at: Span) -> Result<Box<dyn Side>, Box<Diagnostic>> {
    Ok(Box::new(super::gpu::Card::open(at)?))
}

#[cfg(not(feature = "gpu"))]
fn open(at: Span) -> Result<Box<dyn Side>, Box<Diagnostic>> {
    let wrong = Diagnostic::error("gpu::none", "this build of mlc has no GPU part", at, "to run on the GPU");
    Err(Box::new(wrong.help("build with the feature `gpu`, which is on by default")))
}
