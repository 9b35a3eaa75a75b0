//! `mlc plan`: what a training will take, told before it starts.
//!
//! The numbers are those of the programs that training runs and of the memory that it allocates for
//! them (a test compares the two); files and compiler aside.

mod text;
mod tiles;

pub use tiles::Tiles;

pub use text::{bytes, table, text};

use super::data::{Dataset, Prefetch};
use super::disk::Disk;
use super::engine::On;
use super::machine::{Executable, Machine};
use super::memory::{Backing, lay_out};
use super::room::Room;
use super::session;
#[cfg(feature = "gpu")]
use super::trainer::batch_sizes;
use super::trainer::{columns, lowered, planned_run, step_rows, train_order};
use super::weights::{SlotKind, Weights};
use crate::base::{Bindings, Span, Sym};
use crate::graph::{Einsum, Graph, Prim};
use crate::loops::{BufferKind, Fusion, Program, remat};
use crate::ops::Library;
use crate::ops::schedule::{Outline, Run};
use crate::pipeline;
use crate::sema::job::{DataPlan, Job, LayerInfo, Length, ModelInfo, TrainPlan};
use serde::Serialize;

/// Everything that `mlc plan` shows.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub spec: String,
    pub batch: usize,
    /// What rows of a batch may be cut to, the longest first, where the data section has `bucket`; all else here is of
    /// the longest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lengths: Vec<usize>,
    pub threads: usize,
    /// What computes: `2 threads`, or a GPU's name.
    pub device: String,
    /// Of products: `f32` or `bf16`.
    pub precision: &'static str,
    pub layers: Vec<Layer>,
    pub parameters: usize,
    /// What models start from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pretrained: Vec<FromFile>,
    /// Of one training step, by matrix products: forward, and by convention three times as much.
    pub forward_flops: u64,
    pub step_flops: u64,
    /// Where scores are never all there at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiles: Vec<Tiles>,
    /// If the spec has a schedule and its length is known.
    pub learning_rate: Option<LearningRate>,
    pub memory: Memory,
    /// Of the run directory.
    pub disk: Disk,
    /// What lies on the GPU, if it is one.
    pub gpu: Option<OnGpu>,
    pub largest: Vec<Buffer>,
    pub train: Phase,
    pub eval: Phase,
}

#[derive(Clone, Debug, Serialize)]
pub struct Layer {
    pub model: String,
    pub path: String,
    pub call: String,
    pub input: String,
    pub output: String,
    pub parameters: usize,
    /// Matrix products of the forward pass on one batch.
    pub flops: u64,
}

/// What a model starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FromFile {
    pub model: String,
    pub file: String,
    /// How many weights the file gives, of how many; the rest are fresh.
    pub weights: usize,
    pub of: usize,
}

/// How a schedule goes over the planned run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LearningRate {
    pub schedule: &'static str,
    pub steps: u64,
    pub first: f32,
    pub peak: f32,
    /// The first step with the peak, from 1.
    pub peak_step: u64,
    pub last: f32,
}

/// Bytes that a session allocates, by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    pub weights: usize,
    pub optimizer: usize,
    /// Temporaries of the neediest program, and the bound below which no plan can get.
    pub activations: usize,
    pub activations_live_bound: usize,
    /// Batches in memory at once.
    pub batches: usize,
    /// Losses, metrics, learning rates.
    pub scalars: usize,
    /// The best weights so far, where the plan chooses among them.
    pub best: usize,
    /// Packed operands, shared; and what each thread has of its own, all together.
    pub workspace: usize,
    pub scratch: usize,
    pub total: usize,
    /// The most that the total may be, and what a step makes a second time to keep to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    pub again: usize,
    /// The data set in memory, if it was read.
    pub data: Option<usize>,
}

/// What a GPU is asked to hold.
#[derive(Clone, Debug, Serialize)]
pub struct OnGpu {
    /// What it has, if anybody tells.
    pub has: Option<u64>,
    pub rows: Vec<Row>,
    pub total: u64,
}

/// One line of an account of memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub what: &'static str,
    pub bytes: u64,
    pub note: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Buffer {
    pub name: String,
    pub what: &'static str,
    pub bytes: usize,
}

/// A program: its temporaries and how each kernel runs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Phase {
    pub activations: usize,
    pub live_bound: usize,
    pub kernels: Vec<String>,
}

/// How many of the largest buffers are listed.
const LARGEST: usize = 8;

/// Compiles a train section's step and evaluation for the processor and reports what they take.
///
/// # Panics
/// If a size is known to the data only and `data` is none.
pub fn report(lib: &Library, job: &Job, plan: &TrainPlan, data: Option<&Dataset>, threads: usize) -> Report {
    let threads = if threads == 0 { session::default_threads() } else { threads };
    let subject = Subject::new(lib, job, plan, data);
    let Subject { bindings, batch, weights, .. } = &subject;
    let batches = batch_bytes(plan, subject.data_plan, bindings, *batch, subject.rows);
    let mut machine = Machine::new(threads, Backing::Nothing);
    let room = room(plan, weights, batches);
    if let Some(room) = room {
        machine.limit(room.bytes());
    }
    let columns = columns(subject.data_plan);
    let mut load = |graph| machine.load(lowered(graph, bindings, *batch, &Fusion::CPU), weights, &columns);
    let train: Vec<Executable> = subject.step_graphs.iter().map(&mut load).collect();
    let eval = load(&subject.eval_graph);
    let updates: Vec<Executable> = subject.update_graphs.iter().map(load).collect();
    let programs: Vec<&Executable> = train.iter().chain([&eval]).chain(&updates).collect();
    Report {
        threads,
        device: On::Cpu { threads }.name(),
        memory: memory(&machine, weights, &programs, batches, plan, data),
        largest: largest(&train[0].program, weights),
        train: train.iter().map(phase).reduce(Phase::and).expect("plan: a training has a step"),
        eval: phase(&eval),
        ..subject.report()
    }
}

/// The same for a GPU, which takes the programs of all batch sizes that occur.
///
/// # Errors
/// If the device cannot run them. Too little memory is no error: it is told.
///
/// # Panics
/// If a size is known to the data only and `data` is none.
#[cfg(feature = "gpu")]
pub fn gpu_report(
    lib: &Library,
    job: &Job,
    plan: &TrainPlan,
    data: Option<&Dataset>,
    device: super::gpu::Device,
) -> Result<Report, super::gpu::Fault> {
    let subject = Subject::new(lib, job, plan, data);
    let Subject { bindings, batch, weights, .. } = &subject;
    let (name, has) = (device.name(), device.memory());
    let mut engine = super::gpu::Engine::new(device, weights, plan.seed)?;
    if let Some(limit) = plan.memory {
        engine.limit(limit);
    }
    let columns = columns(subject.data_plan);
    // Of each the first is shown.
    let mut sizes = [vec![*batch], vec![*batch]];
    if let Some(data) = data {
        let occur = batch_sizes(plan, subject.data_plan, data);
        for (all, occur) in sizes.iter_mut().zip(occur) {
            all.extend(occur.into_iter().filter(|size| size != batch));
        }
    }
    let mut shown = Vec::new();
    let steps = subject.step_graphs.iter().map(|graph| (graph, &sizes[0]));
    for (graph, sizes) in steps.chain([(&subject.eval_graph, &sizes[1])]) {
        for (i, size) in sizes.iter().enumerate() {
            let at = engine.add(lowered(graph, bindings, *size, &Fusion::GPU), &columns, &[0])?;
            if i == 0 {
                shown.push(at);
            }
        }
    }
    for shorter in plan.rungs().skip(1) {
        for graph in pipeline::turns(lib, &shorter).into_iter().map(|turn| pipeline::rewrite(turn.batch).0) {
            for size in &sizes[0] {
                engine.add(lowered(&graph, bindings, *size, &Fusion::GPU), &columns, &[0])?;
            }
        }
    }
    for graph in &subject.update_graphs {
        engine.add(lowered(graph, bindings, 1, &Fusion::GPU), &columns, &[])?;
    }
    let demand = engine.demand();
    let on_gpu = OnGpu { has, rows: demand.rows(), total: demand.total() };
    let programs: Vec<_> = engine.shaders().collect();
    let (eval, steps) = shown.split_last().expect("plan: an evaluation is shown");
    let steps = steps.iter();
    let host = Memory {
        weights: weights.kind_bytes(SlotKind::Weight),
        optimizer: weights.kind_bytes(SlotKind::State),
        batches: batch_bytes(plan, subject.data_plan, bindings, *batch, subject.rows),
        best: best_bytes(plan, weights),
        data: data.map(Dataset::bytes),
        limit: plan.memory.map(|limit| limit.bytes),
        again: programs.iter().map(|(program, _)| remat::again_bytes(program)).max().unwrap_or(0),
        ..Memory::default()
    };
    Ok(Report {
        device: name,
        memory: Memory { total: host.weights + host.optimizer + host.batches + host.best, ..host },
        gpu: Some(on_gpu),
        largest: largest(programs[shown[0]].0, weights),
        train: steps
            .map(|at| gpu_phase(programs[*at].1))
            .reduce(Phase::and)
            .expect("plan: a training has a step"),
        eval: gpu_phase(programs[*eval].1),
        ..subject.report()
    })
}

/// What is planned, whatever it runs on.
struct Subject<'a> {
    job: &'a Job,
    plan: &'a TrainPlan,
    data_plan: &'a DataPlan,
    bindings: Bindings,
    batch: usize,
    /// Of the training part, as far as is known.
    rows: usize,
    /// One, or where batches are gathered one for each step, with the update of each.
    step_graphs: Vec<Graph>,
    update_graphs: Vec<Graph>,
    eval_graph: Graph,
    learning_rate: Option<LearningRate>,
    /// Nothing is allocated: a plan is asked for most when it may not fit.
    weights: Weights,
}

impl<'a> Subject<'a> {
    fn new(lib: &Library, job: &'a Job, plan: &'a TrainPlan, data: Option<&Dataset>) -> Subject<'a> {
        let data_plan = &job.data[plan.data];
        let bindings = data.map_or_else(Bindings::new, |d| d.bindings().clone());
        // A batch larger than all rows never occurs.
        let batch = data.map_or(data_plan.batch, |d| data_plan.batch.min(d.train.len().max(1)));
        let (mut step_graphs, mut update_graphs) = (Vec::new(), Vec::new());
        for turn in pipeline::turns(lib, plan) {
            step_graphs.push(pipeline::rewrite(turn.batch).0);
            update_graphs.extend(turn.update.map(|graph| pipeline::rewrite(graph).0));
        }
        let (eval_graph, _) = pipeline::rewrite(pipeline::eval_graph(plan));
        let graphs: Vec<&Graph> =
            plan.forwards().chain(&step_graphs).chain([&eval_graph]).chain(&update_graphs).collect();
        let weights = Weights::new(&graphs, &bindings, Backing::Nothing);
        let learning_rate = learning_rate(plan, data_plan, data);
        Subject {
            job,
            plan,
            data_plan,
            bindings,
            batch,
            rows: data.map_or(usize::MAX, |d| d.train.len()),
            step_graphs,
            update_graphs,
            eval_graph,
            learning_rate,
            weights,
        }
    }

    /// The part of a report that is the same everywhere.
    fn report(&self) -> Report {
        let forwards: Vec<Graph> =
            self.plan.forwards().map(|forward| with_batch(forward, &self.bindings, self.batch)).collect();
        let forward_flops = forwards.iter().map(|forward| contraction_flops(forward, &|_| true)).sum();
        Report {
            spec: self.job.name.clone(),
            batch: self.batch,
            lengths: self.data_plan.bucket.iter().flat_map(|bucket| bucket.lengths()).collect(),
            threads: 1,
            device: String::new(),
            precision: self.plan.precision.name(),
            layers: layers(self.job, &forwards, &self.weights, &self.bindings, self.batch),
            parameters: self.weights.parameters(),
            pretrained: self.job.models.iter().filter_map(from_file).collect(),
            forward_flops,
            step_flops: 3 * forward_flops,
            tiles: tiles::of(&forwards),
            learning_rate: self.learning_rate.clone(),
            memory: Memory::default(),
            disk: Disk::of(self.plan, &self.weights),
            gpu: None,
            largest: Vec::new(),
            train: Phase::default(),
            eval: Phase::default(),
        }
    }
}

/// A run that is all warm-up has no outline: training says so.
fn learning_rate(plan: &TrainPlan, data_plan: &DataPlan, data: Option<&Dataset>) -> Option<LearningRate> {
    // Of several steps the first that has one.
    let schedule = plan.steps.iter().find_map(|step| step.schedule.as_ref())?;
    let run = match (data, plan.length) {
        (Some(data), _) => planned_run(plan, &train_order(plan, data_plan, data)),
        (None, Length::Steps(steps)) if !schedule.counts_epochs() => {
            Run { steps: steps as u64, steps_per_epoch: 1 }
        }
        (None, Length::Steps(_) | Length::Epochs(_)) => return None,
    };
    let Outline { first, peak, peak_step, last } = schedule.over(run).ok()?.outline()?;
    Some(LearningRate { schedule: schedule.name(), steps: run.steps, first, peak, peak_step, last })
}

fn with_batch(graph: &Graph, bindings: &Bindings, batch: usize) -> Graph {
    let mut bindings = bindings.clone();
    bindings.insert(Sym::from("B"), batch as i64);
    graph.bind(&bindings)
}

/// Floating-point operations of the forward pass' matrix products on a batch: two for each
/// multiply-add.
pub fn forward_flops(plan: &TrainPlan, bindings: &Bindings, batch: usize) -> u64 {
    plan.forwards().map(|forward| contraction_flops(&with_batch(forward, bindings, batch), &|_| true)).sum()
}

/// Of the contractions whose text satisfies `wanted`.
fn contraction_flops(graph: &Graph, wanted: &dyn Fn(Span) -> bool) -> u64 {
    let of = |(_, node): (_, &crate::graph::Node)| match &node.prim {
        Prim::Contract { spec, inputs } if wanted(node.span) => {
            2 * points(spec, inputs.map(|i| graph.ty(i).shape.as_const().expect("runtime: sizes are bound")))
        }
        Prim::Contract { .. }
        | Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Size(_)
        | Prim::Iota { .. }
        | Prim::Map { .. }
        | Prim::Reduce { .. }
        | Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. }
        | Prim::Gather { .. }
        | Prim::Scatter { .. }
        | Prim::Random { .. } => 0,
        // Nodes of a body bear the places of the text that they came from.
        Prim::Scan { body, .. } => {
            let length = body.length.as_const().expect("runtime: sizes are bound");
            length as u64 * contraction_flops(&body.graph, wanted)
        }
    };
    graph.nodes.iter().map(of).sum()
}

/// How many products are summed: the sizes of all labels, multiplied.
fn points(spec: &Einsum, shapes: [Vec<usize>; 2]) -> u64 {
    let left = spec.lhs.iter().zip(&shapes[0]);
    let right = spec.rhs.iter().zip(&shapes[1]).filter(|(label, _)| !spec.lhs.contains(label));
    left.chain(right).map(|(_, size)| *size as u64).product()
}

fn from_file(model: &ModelInfo) -> Option<FromFile> {
    let pretrained = model.pretrained.as_ref()?;
    Some(FromFile {
        model: model.name.clone(),
        file: pretrained.path.clone(),
        weights: pretrained.weights.len(),
        of: model.weights.len(),
    })
}

fn layers(job: &Job, forwards: &[Graph], weights: &Weights, bindings: &Bindings, batch: usize) -> Vec<Layer> {
    let mut bindings = bindings.clone();
    bindings.insert(Sym::from("B"), batch as i64);
    let all: Vec<&LayerInfo> = job.models.iter().flat_map(|m| &m.layers).collect();
    let of = |model: &str, layer: &LayerInfo| {
        // Copies that `repeat` makes stand on one text: each has its share.
        let copies = all.iter().filter(|l| l.span == layer.span).count() as u64;
        let own = weights.slots().iter().filter(|s| layer.params.iter().any(|p| **p == *s.name));
        let flops = |forward| contraction_flops(forward, &|span| layer.span.contains(span));
        Layer {
            model: model.to_string(),
            path: layer.path.clone(),
            call: layer.call.clone(),
            input: layer.input.bind(&bindings).to_string(),
            output: layer.output.bind(&bindings).to_string(),
            parameters: own.map(|s| s.count()).sum(),
            flops: forwards.iter().map(flops).sum::<u64>() / copies.max(1),
        }
    };
    job.models.iter().flat_map(|m| m.layers.iter().map(|l| of(&m.name, l)).collect::<Vec<_>>()).collect()
}

/// The best weights so far are kept as a file has them.
fn best_bytes(plan: &TrainPlan, weights: &Weights) -> usize {
    plan.chooser().map_or(0, |_| weights.kind_file_bytes(SlotKind::Weight))
}

/// What is left of a limit for programs.
pub(super) fn room(plan: &TrainPlan, weights: &Weights, batches: usize) -> Option<Room> {
    let kept = weights.kind_bytes(SlotKind::Weight) + weights.kind_bytes(SlotKind::State);
    plan.memory.map(|limit| Room { limit, beside: kept + batches + best_bytes(plan, weights) })
}

/// What batches take in memory: all rows of a step, and one batch more where a step has several. Of `rows` there are in
/// the training part.
pub(super) fn batch_bytes(
    plan: &TrainPlan,
    data_plan: &DataPlan,
    bindings: &Bindings,
    batch: usize,
    rows: usize,
) -> usize {
    let rows = step_rows(plan, data_plan, rows);
    let one = batch_sizes_of(data_plan, bindings, batch);
    let step = batch_sizes_of(data_plan, bindings, if plan.accumulate == 1 { batch } else { rows });
    let slots = Prefetch::choose(step.iter().sum()).slots();
    let cut = if plan.accumulate == 1 { 0 } else { lay_out(one).1 };
    lay_out(step).1 * slots + cut
}

/// Bytes of each column of a batch.
fn batch_sizes_of(plan: &DataPlan, bindings: &Bindings, batch: usize) -> Vec<usize> {
    let sizes = plan.columns.iter().map(|c| {
        let shape =
            c.ty.shape.bind(bindings).as_const().expect("runtime: sizes are known once data are read");
        batch * shape.iter().product::<usize>() * c.ty.dtype.bytes()
    });
    sizes.collect()
}

fn memory(
    machine: &Machine,
    weights: &Weights,
    programs: &[&Executable],
    batch_bytes: usize,
    plan: &TrainPlan,
    data: Option<&Dataset>,
) -> Memory {
    let [activations, workspace, scratch] = machine.bytes();
    let mut memory = Memory {
        weights: weights.kind_bytes(SlotKind::Weight),
        optimizer: weights.kind_bytes(SlotKind::State),
        activations,
        activations_live_bound: programs.iter().map(|p| p.memory.live_bound_bytes).max().unwrap_or(0),
        batches: batch_bytes,
        scalars: programs.iter().map(|p| p.own_bytes()).sum(),
        best: best_bytes(plan, weights),
        workspace,
        scratch,
        total: 0,
        limit: plan.memory.map(|limit| limit.bytes),
        again: programs.iter().map(|p| remat::again_bytes(&p.program)).max().unwrap_or(0),
        data: data.map(Dataset::bytes),
    };
    memory.total = memory.weights
        + memory.optimizer
        + memory.activations
        + memory.batches
        + memory.scalars
        + memory.best
        + memory.workspace
        + memory.scratch;
    memory
}

fn largest(program: &Program, weights: &Weights) -> Vec<Buffer> {
    let what = |kind: &BufferKind| match kind {
        BufferKind::Batch => "batch",
        BufferKind::Param(_) => "weight",
        BufferKind::State(_) => "optimizer",
        BufferKind::Scalar => "scalar",
        BufferKind::Temp => "activation",
        BufferKind::Output => "output",
    };
    let of_program = program.buffers.iter().map(|(_, b)| Buffer {
        name: b.name.to_string(),
        what: what(&b.kind),
        bytes: b.bytes(),
    });
    let mut all: Vec<Buffer> = of_program.collect();
    for slot in weights.slots().iter().filter(|s| !program.buffers.iter().any(|(_, b)| b.name == s.name)) {
        let what = if slot.kind == SlotKind::Weight { "weight" } else { "optimizer" };
        all.push(Buffer { name: slot.name.to_string(), what, bytes: slot.bytes() });
    }
    all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    all.truncate(LARGEST);
    all
}

impl Phase {
    /// Both, one behind the other.
    fn and(mut self, other: Phase) -> Phase {
        self.activations = self.activations.max(other.activations);
        self.live_bound = self.live_bound.max(other.live_bound);
        self.kernels.extend(other.kernels);
        self
    }
}

fn phase(executable: &Executable) -> Phase {
    Phase {
        activations: executable.memory.arena_bytes,
        live_bound: executable.memory.live_bound_bytes,
        kernels: executable.compiled.schedule().to_vec(),
    }
}

/// A line for each dispatch, and one for each kernel that it runs.
#[cfg(feature = "gpu")]
fn gpu_phase(shaders: &crate::codegen::wgsl::Shaders) -> Phase {
    let mut kernels = Vec::new();
    for (i, dispatch) in shaders.dispatches.iter().enumerate() {
        let [x, y, z] = dispatch.grid;
        let times = match dispatch.params.len() {
            1 => String::new(),
            n => format!("  {n} times"),
        };
        kernels.push(format!("dispatch {i}  {}  grid {x}x{y}x{z}{times}", dispatch.label));
        let each = dispatch.kernels.iter().zip(&dispatch.how);
        kernels.extend(each.map(|(kernel, how)| format!("  {kernel}  {how}")));
    }
    let activations = shaders.arena.iter().sum::<u64>() as usize;
    Phase { activations, live_bound: shaders.live_bound_bytes as usize, kernels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_counts_each_label_once() {
        let spec = Einsum::parse("bi,ij->bj").unwrap();
        assert_eq!(points(&spec, [vec![32, 784], vec![784, 128]]), 32 * 784 * 128);
    }
}
