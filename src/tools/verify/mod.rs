//! `mlc verify`: does this machine compute what the spec says?
//!
//! One training step runs three times from the same weights on the same batch: in the reference interpreter (f64,
//! the graph as written), compiled for the processor, and on the GPU where there is one. The outputs of layers,
//! the loss, every gradient, every updated weight and state are compared, and shown by the line of the
//! spec that they come from. Loss and updates are those of the very program that training runs; a
//! second program hands out what lies between.
//!
//! # When a difference is a defect
//!
//! `f32` rounds, so no two sides agree to the bit. What rounding can do is computed
//! ([`run_bounded`](crate::graph::interp::run_bounded)): each operation rounds by u = 2^-24 (other functions than
//! sums and products by 8 u), a sum of n terms by min(n, 8 sqrt n) u of its magnitudes, and these errors go
//! through the graph element by element, cancellation and division included; in sums they add up by squares.
//! An element that is further from the reference than its own bound is a defect of the compiler or the device.
//!
//! Jumps need no exception. Where a comparison is so close that rounding may turn it (a relu at 0, a dropout
//! draw at its rate), its bound is the whole jump, and so is that of what hangs on it; all others
//! stay strict. Adam's first step divides a gradient by its own magnitude; where the gradient is within its bound of 0
//! that bound is divided as well, so the sign of such an element is left open and of no other.
//!
//! The table shows how much of its bound the worst element takes: some percent on sound machines.
//!
//! # What is shown
//!
//! ULP counts the `f32` numbers between a side and the reference rounded to `f32`; the worst element of a tensor, which
//! near 0 means little. Relative is the largest difference over the largest magnitude of the reference tensor; of an
//! updated weight or state over its largest change, since a wrong update hides beside a large weight.

#[cfg(feature = "gpu")]
mod gpu;
mod measure;
mod side;
mod start;
mod text;
mod watch;

pub use measure::{Difference, NOT_A_NUMBER};
pub use text::text;
pub use watch::Role;

use crate::base::{Bindings, Sources, Span};
use crate::diag::Diagnostic;
use crate::graph::interp::{self, Tensor};
use crate::graph::{Graph, OutputKind};
use crate::ops::Library;
use crate::opt;
use crate::pipeline;
use crate::runtime::data::{Dataset, Values};
use crate::sema::Job;
use crate::sema::job::TrainPlan;
use serde::Serialize;
use side::Side;
use start::Start;
use std::collections::BTreeMap;
use std::sync::Arc;
use watch::Watched;

/// The rule in one line, as it is printed.
pub const BOUND: &str = "what rounding can do: + - * round by u = 2^-24, other functions by 8 u, a sum of n terms by \
                         min(n, 8 sqrt n) u, carried through the graph element by element";

/// What the command line decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Rows; without it the spec's batch, or fewer where the interpreter would take long.
    pub batch: Option<usize>,
    pub gpu: Gpu,
    /// 0 for as many as the machine has cores.
    pub threads: usize,
    /// A defect to be found: changes what is compiled, and not the reference. For tests.
    pub tamper: Option<fn(&mut Graph)>,
}

/// Whether the GPU takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gpu {
    /// If this build and machine have one.
    #[default]
    IfThere,
    /// It is an error if there is none.
    Required,
    LeftOut,
}

/// What was compared and how it went.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub spec: String,
    pub batch: usize,
    /// Where its rows come from.
    pub rows: &'static str,
    pub seed: u64,
    /// Instruction set, operating system and architecture.
    pub cpu: String,
    /// The device's name; none where it was left out, and then `notes` say why.
    pub gpu: Option<String>,
    pub notes: Vec<String>,
    pub bound: &'static str,
    /// In the order of the source.
    pub tensors: Vec<Row>,
    /// No tensor is over its bound.
    pub agrees: bool,
}

/// One tensor.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The line's own text.
    pub source: String,
    pub role: Role,
    pub name: String,
    pub shape: Vec<usize>,
    /// What relative numbers are relative to.
    pub scale: f64,
    /// The bound of the middle element of those that may be off at all, relative.
    pub bound: f64,
    pub cpu: Difference,
    pub gpu: Option<Difference>,
    /// The GPU against the processor: its share is one of both bounds.
    pub cpu_gpu: Option<Difference>,
    #[serde(skip)]
    pub span: Span,
    /// Its place in the order of computation.
    #[serde(skip)]
    order: usize,
}

/// What the sides found for one output, and how far they may be off.
struct Found {
    bound: Vec<f64>,
    cpu: Vec<f32>,
    gpu: Option<Vec<f32>>,
}

/// Runs one step of a train section on every side. Without data the batch is made up.
///
/// # Errors
/// If a GPU is required and there is none, or it fails.
///
/// # Panics
/// If a size is known to the data only and `data` is none.
pub fn verify(
    lib: &Library,
    sources: &Sources,
    job: &Job,
    plan: &TrainPlan,
    data: Option<&Dataset>,
    options: &Options,
) -> Result<Report, Box<Diagnostic>> {
    let step = pipeline::step_graph(lib, plan);
    let chosen = start::choose(plan, &job.data[plan.data], data, &step, options);
    let values = watch::values(sources, job, plan);
    let named: Vec<_> = values.iter().map(|(w, v)| (w.output.clone(), *v)).collect();
    let full = pipeline::watched_graph(lib, plan, &named);
    let mut between = full.clone();
    between.outputs.retain(|o| o.kind == OutputKind::Value);

    let mut notes = chosen.notes;
    let mut cpu = side::Cpu::new(options.threads);
    let mut gpu = side::gpu(options.gpu, plan.span, &mut notes)?;
    let mut found = BTreeMap::new();
    for graph in [&step, &between] {
        run_all(graph, &chosen.start, &mut cpu, gpu.as_deref_mut(), options.tamper, &mut found)?;
    }
    let watched = values.into_iter().map(|(watched, _)| watched).chain(watch::results(plan, &step));
    let tensors = rows(sources, &full, watched.collect(), &chosen.start, &found);
    Ok(Report {
        spec: job.name.clone(),
        batch: chosen.batch,
        rows: chosen.from,
        seed: plan.seed,
        cpu: cpu.device(),
        gpu: gpu.map(|gpu| gpu.device()),
        notes,
        bound: BOUND,
        agrees: tensors.iter().all(|row| !row.over()),
        tensors,
    })
}

/// Rewrites and binds as [`pipeline::lower`] does: the graph that is lowered.
fn settled(graph: &Graph, bindings: &Bindings) -> Graph {
    let mut bound = pipeline::rewrite(graph.clone()).0.bind(bindings);
    opt::run(&mut bound);
    bound
}

/// Runs a graph on every side and notes its outputs by name.
fn run_all(
    graph: &Graph,
    start: &Start,
    cpu: &mut side::Cpu,
    gpu: Option<&mut (dyn Side + 'static)>,
    tamper: Option<fn(&mut Graph)>,
    found: &mut BTreeMap<Arc<str>, Found>,
) -> Result<(), Box<Diagnostic>> {
    let sound = settled(graph, &start.bindings);
    let bounds = interp::run_bounded(&sound, &start.inputs());
    let compiled = match tamper {
        Some(tamper) => {
            let mut changed = graph.clone();
            tamper(&mut changed);
            settled(&changed, &start.bindings)
        }
        None => sound,
    };
    let on_cpu = cpu.run(&compiled, start)?;
    let on_gpu = gpu.map(|gpu| gpu.run(&compiled, start)).transpose()?;
    let mut on_gpu = on_gpu.map(Vec::into_iter);
    for ((output, bound), cpu) in graph.outputs.iter().zip(bounds).zip(on_cpu) {
        let gpu = on_gpu.as_mut().map(|all| all.next().expect("verify: every side gives every output"));
        found.insert(output.name.clone(), Found { bound: bound.error.data, cpu, gpu });
    }
    Ok(())
}

/// Compares every tensor with the reference, which runs the graph as written.
fn rows(
    sources: &Sources,
    full: &Graph,
    watched: Vec<Watched>,
    start: &Start,
    found: &BTreeMap<Arc<str>, Found>,
) -> Vec<Row> {
    let reference = interp::run(full, &start.inputs());
    let mut rows: Vec<Row> = watched
        .into_iter()
        .map(|watched| {
            let at = full.outputs.iter().position(|o| *o.name == *watched.output);
            let at = at.expect("verify: what is watched is an output");
            let found = &found[&*watched.output];
            row(sources, watched, &reference[at], start, found, full.outputs[at].value.index())
        })
        .collect();
    rows.sort_by_key(|row| (row.span.file, row.line));
    rows
}

fn row(
    sources: &Sources,
    watched: Watched,
    reference: &Tensor,
    start: &Start,
    found: &Found,
    order: usize,
) -> Row {
    let Watched { role, output, name, span } = watched;
    let wanted = &reference.data;
    let largest = |all: &mut dyn Iterator<Item = f64>| all.map(f64::abs).fold(0.0, f64::max);
    let scale = match (role, start.leaves.get(&*output).map(|leaf| &leaf.values)) {
        (Role::Weight | Role::State, Some(Values::F32(before))) => {
            largest(&mut wanted.iter().zip(before).map(|(after, &before)| after - f64::from(before)))
        }
        (Role::Value | Role::Loss | Role::Gradient | Role::Weight | Role::State, _) => {
            largest(&mut wanted.iter().copied())
        }
    };
    let against = |side: &Vec<f32>| measure::against(side, wanted, &found.bound, scale);
    Row {
        file: sources.get(span.file).name.clone(),
        line: sources.line_col(span).0,
        source: sources.line(span).trim().to_string(),
        role,
        name,
        shape: reference.shape.clone(),
        scale,
        bound: measure::relative(measure::middle(&found.bound), scale),
        cpu: against(&found.cpu),
        gpu: found.gpu.as_ref().map(against),
        cpu_gpu: found.gpu.as_ref().map(|gpu| measure::between(gpu, &found.cpu, &found.bound, scale)),
        span,
        order,
    }
}

impl Row {
    /// Whether some side is further from the reference than rounding can explain.
    pub fn over(&self) -> bool {
        self.cpu.over() || self.gpu.is_some_and(|gpu| gpu.over())
    }

    /// Whether rounding alone could make any number of most elements, so that agreeing says nothing: sums of logarithms
    /// over many steps have such bounds.
    pub fn open(&self) -> bool {
        self.scale > 0.0 && (self.bound.is_nan() || self.bound >= 1.0)
    }

    /// `the gradient of fc1.weight`.
    fn called(&self) -> String {
        match self.role {
            Role::Value => format!("the output of `{}`", self.name),
            Role::Loss => "the loss".to_string(),
            Role::Gradient => format!("the gradient of `{}`", self.name),
            Role::Weight => format!("`{}` after the step", self.name),
            Role::State => format!("the state `{}` after the step", self.name),
        }
    }
}

/// For each side that differs, the first tensor in the order of computation that does: where the defect is.
pub fn diagnostics(report: &Report) -> Vec<Diagnostic> {
    let cpu: Vec<(&Row, Difference)> = report.tensors.iter().map(|row| (row, row.cpu)).collect();
    let gpu = report.tensors.iter().filter_map(|row| row.gpu.map(|gpu| (row, gpu))).collect();
    let sides = [
        ("compiled code", cpu, "report the spec"),
        ("the GPU", gpu, "train with `--device cpu` and report the spec"),
    ];
    sides.into_iter().filter_map(|(side, all, action)| differs(side, all, action)).collect()
}

fn differs(side: &str, all: Vec<(&Row, Difference)>, action: &str) -> Option<Diagnostic> {
    let over: Vec<&(&Row, Difference)> = all.iter().filter(|(_, d)| d.over()).collect();
    let (row, difference) = over.iter().min_by_key(|(row, _)| row.order)?;
    let message = match difference.ulp {
        NOT_A_NUMBER => {
            format!("{} is a number here and none there: {side} and the interpreter", row.called())
        }
        _ => format!(
            "{} differs between {side} and the interpreter by {:.1e} of its scale, {:.0e} times what rounding explains",
            row.called(),
            difference.relative,
            difference.share
        ),
    };
    let others = match over.len() - 1 {
        0 => "nothing else differs".to_string(),
        1 => "one tensor computed after it differs too".to_string(),
        n => format!("{n} tensors computed after it differ too"),
    };
    let wrong = Diagnostic::error("verify::differs", message, row.span, "computed here");
    Some(wrong.help(format!("{others}; this is a defect of mlc or of the device, not of the spec: {action}")))
}
