//! One train section, compiled: steps and evaluations, without files or clocks.
//!
//! There is a program for each batch size that occurs, compiled when it is first met; all share
//! weights, states and memory.

use super::data::{Batch, Batches, Dataset, Order, Part, Prefetch};
use super::machine::{Executable, Machine};
use super::memory::Backing;
use super::process;
use super::weights::Weights;
use crate::base::{Bindings, Dim, Sym};
use crate::diag::Diagnostic;
use crate::graph::Graph;
use crate::loops::{Fusion, Program};
use crate::ops::Library;
use crate::pipeline;
use crate::sema::job::{DataPlan, Finish, MetricPlan, TrainPlan};

/// Everything that steps need.
pub struct Trainer<'a> {
    plan: &'a TrainPlan,
    data_plan: &'a DataPlan,
    data: &'a Dataset,
    bindings: Bindings,
    /// The step and the evaluation, rewritten, `B` still a symbol.
    step_graph: Graph,
    eval_graph: Graph,
    weights: Weights,
    machine: Machine,
    steps: Vec<(usize, Executable)>,
    evals: Vec<(usize, Executable)>,
}

/// Averages over all rows of a part.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    pub loss: f64,
    /// By name, in the plan's order.
    pub metrics: Vec<(String, f64)>,
}

impl<'a> Trainer<'a> {
    /// Lowers nothing yet: programs come with [`prepare`](Self::prepare) or when first met. Weights are
    /// drawn from the plan's seed.
    ///
    /// # Errors
    /// If weights and optimizer states alone take more memory than the machine has left.
    pub fn new(
        lib: &Library,
        plan: &'a TrainPlan,
        data_plan: &'a DataPlan,
        data: &'a Dataset,
        threads: usize,
    ) -> Result<Trainer<'a>, Box<Diagnostic>> {
        let (step_graph, _) = pipeline::rewrite(pipeline::step_graph(lib, plan));
        let (eval_graph, _) = pipeline::rewrite(plan.eval.clone());
        let bindings = data.bindings().clone();
        // The forward graph first: a weight that rewriting found useless is still a weight of the model.
        let graphs = [&plan.forward, &step_graph, &eval_graph];
        fits(plan, Weights::new(&graphs, &bindings, Backing::Nothing).bytes())?;
        let mut weights = Weights::new(&graphs, &bindings, Backing::Memory);
        weights.draw(plan.seed);
        let machine = Machine::new(threads, Backing::Memory);
        let (steps, evals) = (Vec::new(), Vec::new());
        Ok(Trainer {
            plan,
            data_plan,
            data,
            bindings,
            step_graph,
            eval_graph,
            weights,
            machine,
            steps,
            evals,
        })
    }

    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    pub fn weights_mut(&mut self) -> &mut Weights {
        &mut self.weights
    }

    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    pub fn executables(&self) -> impl Iterator<Item = &Executable> {
        self.steps.iter().chain(&self.evals).map(|(_, e)| e)
    }

    /// How training goes through the rows.
    pub fn order(&self) -> Order {
        Order {
            rows: self.data.train.len(),
            batch: batch_of(self.data_plan, self.data.train.len()),
            drop_last: self.data_plan.drop_last,
            shuffle: self.data_plan.shuffle.then_some(self.plan.seed),
        }
    }

    /// Compiles the step of a batch size.
    pub fn prepare(&mut self, batch: usize) -> &Executable {
        let at = self.step_at(batch);
        &self.steps[at].1
    }

    /// Compiles the evaluation of a batch size.
    pub fn prepare_eval(&mut self, batch: usize) -> &Executable {
        let at = self.eval_at(batch);
        &self.evals[at].1
    }

    fn step_at(&mut self, batch: usize) -> usize {
        if let Some(at) = self.steps.iter().position(|(n, _)| *n == batch) {
            return at;
        }
        let executable = self.load(lowered(&self.step_graph, &self.bindings, batch));
        self.steps.push((batch, executable));
        self.steps.len() - 1
    }

    fn eval_at(&mut self, batch: usize) -> usize {
        if let Some(at) = self.evals.iter().position(|(n, _)| *n == batch) {
            return at;
        }
        let executable = self.load(lowered(&self.eval_graph, &self.bindings, batch));
        self.evals.push((batch, executable));
        self.evals.len() - 1
    }

    fn load(&mut self, program: Program) -> Executable {
        let columns: Vec<&str> = self.data_plan.columns.iter().map(|c| c.name.as_str()).collect();
        self.machine.load(program, &self.weights, &columns)
    }

    /// Trains on a batch; gives its loss. `step` counts from 1.
    pub fn step(&mut self, batch: &Batch, step: u64) -> f32 {
        let at = self.step_at(batch.rows.count);
        let executable = &mut self.steps[at].1;
        executable.set("step", step as f32);
        let lr = self.plan.optimizer.settings.iter().find(|(name, _)| name == "lr");
        executable.set("lr", lr.map_or(0.0, |(_, lr)| *lr as f32));
        self.machine.run(executable, batch, self.plan.seed, step);
        // The loss is the first output of a training graph.
        executable.output(0)
    }

    /// Loss and metrics over all rows of a part, in file order, batches weighing as many rows as they have.
    pub fn evaluate(&mut self, part: &Part) -> Evaluation {
        let batch = self.data_plan.batch.min(part.len().max(1));
        let order = Order { rows: part.len(), batch, drop_last: false, shuffle: None };
        let until = order.steps_per_epoch();
        let mut batches = Batches::new(part, order, 0, until, Prefetch::Inline);
        let metrics = &self.plan.metrics;
        let (mut loss, mut totals) = (0f64, vec![Total::default(); metrics.len()]);
        while let Some(batch) = batches.advance() {
            let rows = batch.rows.count;
            let at = self.eval_at(rows);
            let executable = &mut self.evals[at].1;
            self.machine.run(executable, &batch, self.plan.seed, 0);
            let output = |name: &str| {
                let index = executable.output_index(name).expect("runtime: every metric is an output");
                f64::from(executable.output(index))
            };
            loss += output("loss") * rows as f64;
            for (total, metric) in totals.iter_mut().zip(metrics) {
                total.sum += output(&metric.name);
                total.count += elements(&metric.count, &self.bindings, rows);
            }
        }
        let finished = |(metric, total): (&MetricPlan, &Total)| {
            let mean = total.sum / total.count;
            let value = match metric.finish {
                Finish::Mean => mean,
                Finish::Root => mean.sqrt(),
            };
            (metric.name.clone(), value)
        };
        Evaluation {
            loss: loss / part.len() as f64,
            metrics: metrics.iter().zip(&totals).map(finished).collect(),
        }
    }
}

/// What a metric adds up to, and over how many elements.
#[derive(Clone, Debug, Default)]
struct Total {
    sum: f64,
    count: f64,
}

/// A size in a batch of so many rows.
fn elements(size: &Dim, bindings: &Bindings, rows: usize) -> f64 {
    let batch = Dim::from(rows as i64);
    let known = size.substitute(&Sym::from("B"), &batch).bind(bindings).as_const();
    known.expect("runtime: data fix every size but the batch") as f64
}

/// How many rows a batch has room for. More than all rows never come together, so a huge `batch` takes no
/// memory; with `drop_last` it stays, since it means that there is no batch at all.
pub fn batch_of(plan: &DataPlan, rows: usize) -> usize {
    if plan.drop_last { plan.batch } else { plan.batch.min(rows.max(1)) }
}

/// Whether so many bytes of weights and states can be had.
fn fits(plan: &TrainPlan, bytes: usize) -> Result<(), Box<Diagnostic>> {
    let Some(free) = process::available_memory().filter(|free| *free < bytes as u64) else { return Ok(()) };
    let gib = |bytes: f64| bytes / f64::from(1 << 30);
    let message = format!(
        "weights and optimizer states take {:.1} GiB, and the machine has {:.1} GiB left",
        gib(bytes as f64),
        gib(free as f64)
    );
    let wrong = Diagnostic::error("run::memory", message, plan.span, "this training");
    Err(Box::new(wrong.help("make the widest layers narrower; `mlc plan` lists the largest buffers")))
}

/// The program of a graph with everything known.
pub fn lowered(graph: &Graph, bindings: &Bindings, batch: usize) -> Program {
    let mut bindings = bindings.clone();
    bindings.insert(Sym::from("B"), batch as i64);
    pipeline::lower(graph, &bindings, &Fusion::CPU)
}
