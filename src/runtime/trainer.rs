//! One train section, compiled: steps and evaluations, without files or clocks.
//!
//! There is a program for each batch size that occurs; all share weights, states and memory. They run
//! on an [`Engine`]: the processor, where a step's loss is known when it returns, or a GPU, where
//! steps are under way for a while and losses come later, in order.

use super::RunError;
use super::data::{Batch, Batches, Dataset, Order, Part, Prefetch};
use super::engine::{Engine, On};
use super::gathering::Gathering;
use super::memory::Backing;
use super::process;
use super::tallies::Tallies;
use super::weights::Weights;
use crate::base::{Bindings, Dim, Sym};
use crate::diag::Diagnostic;
use crate::graph::Graph;
use crate::loops::{Fusion, Program};
use crate::ops::Library;
use crate::ops::metric::Figure;
use crate::ops::plateau::Reached;
use crate::ops::schedule::{self, Rates};
use crate::pipeline;
use crate::sema::job::{DataPlan, Length, TrainPlan};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

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
    /// Those of the schedule, if there is one.
    rates: Option<Rates>,
    /// Where a plateau is, if the schedule is one.
    reached: Option<Reached>,
    engine: Engine,
    /// Programs by batch size: their place in the engine.
    steps: Vec<(usize, usize)>,
    evals: Vec<(usize, usize)>,
    /// Of steps that take several batches.
    gathering: Option<Gathering>,
    /// What was handed over and has no results yet, and losses that nobody took yet, both in order.
    under_way: VecDeque<Run>,
    losses: VecDeque<Loss>,
    /// The losses of the batches of a step so far, each times its rows.
    partial: f64,
}

/// A program that was handed over: the step that it is of, and what its results mean.
#[derive(Clone, Copy, Debug)]
struct Run {
    of: Loss,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The loss of the step.
    Step,
    /// That of a batch with so many rows, one of several of the step.
    Batch { rows: usize, last: bool },
    /// Nothing: the update behind the last batch.
    Update,
}

/// The loss of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Both from 1.
    pub step: u64,
    pub epoch: u64,
    /// Rows of its batch.
    pub rows: usize,
    pub value: f32,
}

/// What all rows of a part say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The average over rows.
    pub loss: f64,
    /// By name, in the plan's order.
    pub metrics: Vec<(String, Figure)>,
}

impl Evaluation {
    /// All that is a number, by the names that files give it: `loss`, `auc`, `f1[sex=Female]`.
    pub fn numbers(&self) -> impl Iterator<Item = (String, f64)> {
        let loss = std::iter::once(("loss".to_string(), self.loss));
        let flat = self.metrics.iter().flat_map(|(name, figure)| figure.flat(name));
        loss.chain(flat.filter_map(|(name, figure)| Some((name, figure.number()?))))
    }

    /// One of [`numbers`](Self::numbers), if it is there and defined.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers().find(|(n, _)| n == name).map(|(_, x)| x)
    }
}

/// Room for runs and losses that wait: more than are ever under way, so that a step allocates nothing.
const WAITING: usize = 64;

impl<'a> Trainer<'a> {
    /// Weights are drawn from the plan's seed. On the processor nothing is lowered yet: programs come with
    /// [`prepare`](Self::prepare) or when first met. A GPU must hold all that may come, so all are
    /// generated here and its memory is taken.
    ///
    /// # Errors
    /// If weights and optimizer states alone take more memory than the machine has left, the GPU cannot
    /// hold the job, or the schedule's warm-up takes all of the run.
    pub fn new(
        lib: &Library,
        plan: &'a TrainPlan,
        data_plan: &'a DataPlan,
        data: &'a Dataset,
        on: On,
    ) -> Result<Trainer<'a>, Box<Diagnostic>> {
        let rates = rates(plan, &train_order(plan, data_plan, data))?;
        let step = pipeline::step(lib, plan);
        let (step_graph, _) = pipeline::rewrite(step.batch);
        let update = step.update.map(|graph| pipeline::rewrite(graph).0);
        let (eval_graph, _) = pipeline::rewrite(pipeline::eval_graph(plan));
        let bindings = data.bindings().clone();
        // The forward graph first: a weight that rewriting found useless is still a weight of the model.
        let graphs: Vec<&Graph> =
            [&plan.forward, &step_graph, &eval_graph].into_iter().chain(&update).collect();
        fits(plan, Weights::new(&graphs, &bindings, Backing::Nothing).bytes())?;
        let mut weights = Weights::new(&graphs, &bindings, Backing::Memory);
        weights.draw(plan.seed);
        for balance in &plan.balanced {
            // Rows of another file have none to count: there the weights that are read say it.
            if let Some(numbers) = data.balance(&balance.column) {
                weights.set(&balance.state, &numbers);
            }
        }
        let engine = Engine::new(on, &weights, plan)?;
        let size = batch_of(data_plan, data.train.len());
        let gathering = update.map(|graph| Gathering::new(graph, data, size, plan.accumulate));
        let mut trainer = Trainer {
            plan,
            data_plan,
            data,
            bindings,
            step_graph,
            eval_graph,
            weights,
            rates,
            reached: plan.plateau.as_ref().map(|p| p.rule.start(p.lr)),
            engine,
            gathering,
            partial: 0.0,
            steps: Vec::new(),
            evals: Vec::new(),
            under_way: VecDeque::with_capacity(WAITING),
            losses: VecDeque::with_capacity(WAITING),
        };
        if trainer.engine.plans_ahead() {
            trainer.add_all()?;
            trainer.engine.allocate(&trainer.weights)?;
        }
        Ok(trainer)
    }

    /// Adds the programs of every batch size that occurs.
    fn add_all(&mut self) -> Result<(), Box<Diagnostic>> {
        let [steps, evals] = batch_sizes(self.plan, self.data_plan, self.data);
        for batch in steps {
            self.step_at(batch)?;
        }
        for batch in evals {
            self.eval_at(batch)?;
        }
        self.update_at()
    }

    /// Adds the update of steps that take several batches.
    fn update_at(&mut self) -> Result<(), Box<Diagnostic>> {
        let Some(gathering) = self.gathering.as_mut().filter(|g| g.program.is_none()) else { return Ok(()) };
        let program = lowered(&gathering.graph, &self.bindings, 1, self.engine.fusion());
        gathering.program = Some(self.engine.add(program, &self.weights, &columns(self.data_plan), &[])?);
        Ok(())
    }

    /// The weights as they were last synced.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Brings the weights here from where steps change them.
    pub fn sync(&mut self) -> Result<(), RunError> {
        self.finish()?;
        self.engine.download(&mut self.weights).map_err(|wrong| self.stopped(*wrong))
    }

    /// Changes the weights, here and where steps read them.
    pub fn set_weights<E>(
        &mut self,
        change: impl FnOnce(&mut Weights) -> Result<(), E>,
    ) -> Result<Result<(), E>, RunError> {
        self.sync()?;
        let changed = change(&mut self.weights);
        self.engine.upload(&self.weights).map_err(|wrong| self.stopped(*wrong))?;
        Ok(changed)
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How training goes through the rows.
    pub fn order(&self) -> Order {
        train_order(self.plan, self.data_plan, self.data)
    }

    /// Compiles the step of a batch size.
    pub fn prepare(&mut self, batch: usize) -> Result<(), RunError> {
        let first = Gathering::sizes(batch_of(self.data_plan, self.data.train.len()), &[batch])[0];
        let at = self.step_at(first).map_err(|wrong| *wrong)?;
        self.update_at().map_err(|wrong| *wrong)?;
        self.engine.prepare(at).map_err(|wrong| self.stopped(*wrong))
    }

    fn step_at(&mut self, batch: usize) -> Result<usize, Box<Diagnostic>> {
        if let Some((_, at)) = self.steps.iter().find(|(n, _)| *n == batch) {
            return Ok(*at);
        }
        let program = lowered(&self.step_graph, &self.bindings, batch, self.engine.fusion());
        // The loss is the first output of a training graph.
        let at = self.engine.add(program, &self.weights, &columns(self.data_plan), &[0])?;
        self.steps.push((batch, at));
        Ok(at)
    }

    fn eval_at(&mut self, batch: usize) -> Result<usize, Box<Diagnostic>> {
        if let Some((_, at)) = self.evals.iter().find(|(n, _)| *n == batch) {
            return Ok(*at);
        }
        let program = lowered(&self.eval_graph, &self.bindings, batch, self.engine.fusion());
        let outputs = self.plan.metrics.iter().flat_map(|m| &m.outputs);
        let names = std::iter::once("loss").chain(outputs.map(String::as_str));
        let output = |name: &str| program.outputs.iter().position(|(n, _)| **n == *name);
        let kept: Vec<usize> =
            names.map(|name| output(name).expect("runtime: every metric is an output")).collect();
        let at = self.engine.add(program, &self.weights, &columns(self.data_plan), &kept)?;
        self.evals.push((batch, at));
        Ok(at)
    }

    /// Trains on a batch. Its loss comes with [`next_loss`](Self::next_loss), on a GPU some steps later.
    pub fn step(&mut self, batch: &Batch) -> Result<(), RunError> {
        let step = batch.step + 1;
        let of = Loss { step, epoch: batch.rows.epoch + 1, rows: batch.rows.count, value: 0.0 };
        let scalars = [("step", step as f32), ("lr", self.lr(batch.step)), ("rows", of.rows as f32)];
        if self.gathering.is_some() {
            return self.step_of_several(batch, of, &scalars);
        }
        let at = self.step_at(batch.rows.count).map_err(|wrong| *wrong)?;
        self.under_way.push_back(Run { of, what: What::Step });
        self.engine.run(at, batch, &scalars, step).map_err(|wrong| self.stopped(*wrong))?;
        self.gather();
        Ok(())
    }

    /// The same in several batches that gather their gradients, and an update.
    fn step_of_several(&mut self, batch: &Batch, of: Loss, scalars: &[(&str, f32)]) -> Result<(), RunError> {
        let made = "runtime: a step of several batches has somewhere to gather";
        let cuts = self.gathering.as_ref().expect(made).cuts(batch.step, of.rows);
        for cut in cuts {
            let at = self.step_at(cut.count).map_err(|wrong| *wrong)?;
            self.under_way.push_back(Run { of, what: What::Batch { rows: cut.count, last: cut.last } });
            let part = self.gathering.as_mut().expect(made).take(batch, cut);
            let ran = self.engine.run(at, &part, scalars, cut.draw);
            ran.map_err(|wrong| self.stopped(*wrong))?;
            self.gather();
        }
        self.update_at().map_err(|wrong| *wrong)?;
        let at = self.gathering.as_ref().and_then(|g| g.program).expect(made);
        self.under_way.push_back(Run { of, what: What::Update });
        self.engine.run(at, batch, scalars, of.step).map_err(|wrong| self.stopped(*wrong))?;
        self.gather();
        Ok(())
    }

    /// The learning rate of a step, counted from 0.
    pub fn lr(&self, step: u64) -> f32 {
        if let Some(reached) = &self.reached {
            return reached.lr;
        }
        if let Some(rates) = &self.rates {
            return rates.lr(step);
        }
        let lr = self.plan.optimizer.settings.iter().find(|(name, _)| name == "lr");
        lr.map_or(0.0, |(_, lr)| *lr as f32)
    }

    fn gather(&mut self) {
        while let Some(values) = self.engine.landed() {
            let run = self.under_way.pop_front().expect("runtime: a result is of a run under way");
            match run.what {
                What::Step => self.losses.push_back(Loss { value: values[0], ..run.of }),
                What::Batch { rows, last } => {
                    self.partial += f64::from(values[0]) * rows as f64;
                    if last {
                        let value = (std::mem::take(&mut self.partial) / run.of.rows as f64) as f32;
                        self.losses.push_back(Loss { value, ..run.of });
                    }
                }
                What::Update => {}
            }
        }
    }

    /// Waits for all steps under way.
    pub fn finish(&mut self) -> Result<(), RunError> {
        self.engine.finish().map_err(|wrong| self.stopped(*wrong))?;
        self.gather();
        Ok(())
    }

    /// The loss of the next step in order, if it is known by now.
    pub fn next_loss(&mut self) -> Option<Loss> {
        self.losses.pop_front()
    }

    /// What ended the training, with the step at which it did.
    fn stopped(&self, mut wrong: Diagnostic) -> RunError {
        if let Some(Run { of: loss, .. }) = self.under_way.front() {
            wrong.message += &format!(" (step {}, epoch {})", loss.step, loss.epoch);
        }
        wrong.into()
    }

    /// Tells those who adapt to it how a validation went: called after each one, in order, before the next step.
    pub fn observe(&mut self, evaluation: &Evaluation) {
        let (Some(plan), Some(reached)) = (&self.plan.plateau, &mut self.reached) else { return };
        let value = evaluation.number(&plan.monitor.metric).unwrap_or(f64::NAN);
        plan.rule.observe(reached, value);
    }

    /// What was learnt from [`observe`](Self::observe): a checkpoint keeps it, so that a run that goes on does so
    /// as if it had never stopped. Null if there is nothing.
    pub fn observed(&self) -> serde_yaml::Value {
        serde_yaml::to_value(&self.reached).expect("runtime: where a schedule is, is plain data")
    }

    /// Goes on from what [`observed`](Self::observed) gave.
    ///
    /// # Errors
    /// If that was of another kind of run, with the reason.
    pub fn remember(&mut self, observed: &serde_yaml::Value) -> Result<(), String> {
        let reached: Option<Reached> = serde_yaml::from_value(observed.clone())
            .map_err(|why| format!("what it kept of its schedule cannot be read: {why}"))?;
        match (reached.is_some(), self.plan.plateau.is_some()) {
            (true, false) => Err("it kept what a schedule learnt, but no schedule here learns".to_string()),
            (false, true) => Err("its schedule learnt nothing, but the one here does".to_string()),
            (true, true) | (false, false) => {
                self.reached = reached;
                Ok(())
            }
        }
    }

    /// Loss and metrics over all rows of a part, in file order, batches weighing as many rows as they have.
    pub fn evaluate(&mut self, part: &Part) -> Result<Evaluation, RunError> {
        self.finish()?;
        let order = eval_order(self.data_plan, part);
        let until = order.steps_per_epoch();
        let mut batches = Batches::new(part, order, 0, until, Prefetch::Inline);
        // The loss is an average over its batch, metrics are sums.
        let mut loss = 0f64;
        let mut tallies = Tallies::new(&self.plan.metrics, self.data, part.len());
        let mut counted = 0;
        let mut add = |engine: &mut Engine, counted: &mut u64| {
            while let Some([mean, scores @ ..]) = engine.landed() {
                let rows = order.rows_of(*counted).count;
                loss += f64::from(*mean) * rows as f64;
                tallies.add(scores, rows);
                *counted += 1;
            }
        };
        while let Some(batch) = batches.advance() {
            let at = self.eval_at(batch.rows.count).map_err(|wrong| *wrong)?;
            self.engine.run(at, &batch, &[], 0).map_err(|wrong| *wrong)?;
            add(&mut self.engine, &mut counted);
        }
        self.engine.finish().map_err(|wrong| *wrong)?;
        add(&mut self.engine, &mut counted);
        assert_eq!(counted, until, "runtime: every batch has results");
        Ok(Evaluation { loss: loss / part.len() as f64, metrics: tallies.figures() })
    }
}

/// A size in a batch of so many rows.
pub(super) fn elements(size: &Dim, bindings: &Bindings, rows: usize) -> f64 {
    let batch = Dim::from(rows as i64);
    let known = size.substitute(&Sym::from("B"), &batch).bind(bindings).as_const();
    known.expect("runtime: data fix every size but the batch") as f64
}

/// The names of the data's columns, as batches have them.
pub fn columns(plan: &DataPlan) -> Vec<&str> {
    plan.columns.iter().map(|c| c.name.as_str()).collect()
}

/// The length of the run as planned.
pub fn planned_run(plan: &TrainPlan, order: &Order) -> schedule::Run {
    let steps_per_epoch = order.steps_per_epoch();
    let steps = match plan.length {
        Length::Epochs(n) => n as u64 * steps_per_epoch,
        Length::Steps(n) => n as u64,
    };
    schedule::Run { steps, steps_per_epoch }
}

/// The learning rates of the planned run, if it has a schedule: `--steps` cuts a run short and changes none of them.
///
/// # Errors
/// If the schedule's warm-up takes all of the run.
pub fn rates(plan: &TrainPlan, order: &Order) -> Result<Option<Rates>, Box<Diagnostic>> {
    let rates = plan.schedule.as_ref().map(|schedule| schedule.over(planned_run(plan, order)));
    rates.transpose().map_err(Box::new)
}

/// How training goes through the rows.
pub fn train_order(plan: &TrainPlan, data_plan: &DataPlan, data: &Dataset) -> Order {
    Order {
        rows: data.train.len(),
        batch: step_rows(plan, data_plan, data.train.len()),
        drop_last: data_plan.drop_last,
        shuffle: data_plan.shuffle.then_some(plan.seed),
    }
}

/// How an evaluation goes through a part: in file order.
fn eval_order(plan: &DataPlan, part: &Part) -> Order {
    let batch = plan.batch.min(part.len().max(1));
    Order { rows: part.len(), batch, drop_last: false, shuffle: None }
}

/// The batch sizes that occur, in training and in evaluation: each needs a program.
pub fn batch_sizes(plan: &TrainPlan, data_plan: &DataPlan, data: &Dataset) -> [Vec<usize>; 2] {
    let parts = [&data.valid, &data.test].into_iter().filter(|part| !part.is_empty());
    let mut evals: Vec<usize> = Vec::new();
    for batch in parts.flat_map(|part| eval_order(data_plan, part).batch_sizes()) {
        if !evals.contains(&batch) {
            evals.push(batch);
        }
    }
    let steps = train_order(plan, data_plan, data).batch_sizes();
    [Gathering::sizes(batch_of(data_plan, data.train.len()), &steps), evals]
}

/// How many rows a step has room for, in one batch or in several.
pub fn step_rows(plan: &TrainPlan, data_plan: &DataPlan, rows: usize) -> usize {
    let most = data_plan.batch.saturating_mul(plan.accumulate);
    if data_plan.drop_last { most } else { most.min(rows.max(1)) }
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
pub fn lowered(graph: &Graph, bindings: &Bindings, batch: usize, fusion: &Fusion) -> Program {
    let mut bindings = bindings.clone();
    bindings.insert(Sym::from("B"), batch as i64);
    pipeline::lower(graph, &bindings, fusion)
}
