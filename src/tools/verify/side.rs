//! The machines that are compared with the interpreter.

use super::Gpu;
use super::start::Start;
use crate::base::{DType, Span};
use crate::codegen::{self, Instance};
use crate::diag::Diagnostic;
use crate::graph::Graph;
use crate::pipeline;
use crate::runtime::data::Values;
use crate::runtime::session;

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
        let program = pipeline::lower(graph, &start.bindings);
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
        let program = instance.program();
        let output = |(_, id): &(_, crate::loops::BufferId)| {
            assert_eq!(program.buffers[*id].dtype, DType::F32, "verify: what is watched is f32");
            instance.f32(*id).to_vec()
        };
        Ok(program.outputs.iter().map(output).collect())
    }
}

/// The GPU, or none and a note why.
///
/// # Errors
/// If one is required and there is none.
pub fn gpu(wish: Gpu, at: Span, notes: &mut Vec<String>) -> Result<Option<Box<dyn Side>>, Box<Diagnostic>> {
    match wish {
        Gpu::LeftOut => Ok(None),
        Gpu::IfThere => {
            notes.push("this build has no GPU part: the interpreter and the processor are compared".into());
            Ok(None)
        }
        Gpu::Required => {
            let message = "this build has no GPU part";
            let wrong = Diagnostic::error("gpu::none", message, at, "to be verified on a GPU");
            Err(Box::new(wrong.help("build with the feature `gpu`, or leave `--device gpu` out")))
        }
    }
}
