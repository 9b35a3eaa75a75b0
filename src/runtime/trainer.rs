//! One train section, compiled: steps and evaluations, without files or clocks.
//!
//! There is a program for each batch size that occurs, with buckets for each length of its rows; all share
//! weights, states and memory. They run on an [`Engine`]: the processor, where a step's loss is known when it returns, or a GPU, where
//! steps are under way for a while and losses come later, in order.

use super::RunError;
use super::data::{Batch, Batches, Buckets, Dataset, Order, Part, Prefetch};
use super::engine::{Engine, On};
use super::gathering::{Gathering, Losses};
use super::memory::Backing;
use super::paces::Paces;
use super::phases::{Phase, phases, updates};
use super::process;
use super::tallies::Tallies;
use super::times::KernelTime;
use super::weights::Weights;
use crate::base::{Bindings, Dim, Sym};
use crate::diag::Diagnostic;
use crate::graph::Graph;
use crate::loops::{Fusion, Program};
use crate::ops::Library;
use crate::ops::metric::Figure;
use crate::ops::schedule;
use crate::pipeline;
use crate::sema::job::{DataPlan, Length, TrainPlan};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Everything that steps need.
pub struct Trainer<'a> {
    plan: &'a TrainPlan,
    data_plan: &'a DataPlan,
    data: &'a Dataset,
    bindings: Bindings,
    /// What is done on a batch, by the rung of its length and by what acts there, and the evaluation; rewritten, `B`
    /// still a symbol.
    phases: Vec<Vec<Phase>>,
    eval_graph: Graph,
    weights: Weights,
    paces: Paces,
    engine: Engine,
    /// Which training rows meet, if the data say so.
    buckets: Option<Arc<Buckets>>,
    /// Programs of steps, and of evaluations by batch size: their place in the engine.
    steps: Vec<(Made, usize)>,
    evals: Vec<(usize, usize)>,
    /// Of steps that take several batches.
    gathering: Option<Gathering>,
    /// What was handed over and has no results yet, and losses that nobody took yet, both in order.
    under_way: VecDeque<Run>,
    losses: VecDeque<Loss>,
    /// Of several steps, the loss of each by step; of losses that wait, one set behind the other.
    parts: VecDeque<f32>,
    part: Vec<f32>,
}

/// What the program of a step is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Made {
    rows: usize,
    /// Of [`Buckets`].
    rung: usize,
    phase: usize,
}

/// A program that was handed over: the step that it is of, and what its results mean.
#[derive(Clone, Copy, Debug)]
struct Run {
    of: Loss,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The loss of the step, and of several those of the ones that a phase has.
    Step { phase: usize },
    /// That of a batch with so many rows, one of several of the step.
    Batch { rows: usize },
    /// Nothing: the update behind the last batch of the turn of a step, which may be the last turn.
    Update { step: usize, last: bool },
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
        let order = train_order(plan, data_plan, data);
        let paces = Paces::new(plan, &order)?;
        let phases: Vec<Vec<Phase>> = plan.rungs().map(|plan| phases(lib, &plan)).collect();
        let updates = updates(lib, plan);
        let (eval_graph, _) = pipeline::rewrite(pipeline::eval_graph(plan));
        let bindings = data.bindings().clone();
        // The forward graph first: a weight that rewriting found useless is still a weight of the model.
        let steps = phases.iter().flatten().map(|phase| &phase.graph);
        let rest = [&eval_graph].into_iter().chain(updates.iter().map(|update| &update.graph));
        let graphs: Vec<&Graph> = plan.forwards().chain(steps).chain(rest).collect();
        fits(plan, Weights::new(&graphs, &bindings, Backing::Nothing).bytes())?;
        let mut weights = Weights::new(&graphs, &bindings, Backing::Memory);
        weights.draw(plan.seed);
        for balance in &plan.balanced {
            // Rows of another file have none to count: there the weights that are read say it.
            if let Some(numbers) = data.balance(&balance.column) {
                weights.set(&balance.state, &numbers);
            }
        }
        let mut engine = Engine::new(on, &weights, plan)?;
        let size = batch_of(data_plan, data.train.len());
        let batches = super::plan::batch_bytes(plan, data_plan, &bindings, size, data.train.len());
        if let Some(room) = super::plan::room(plan, &weights, batches) {
            engine.limit(room);
        }
        let losses = Losses::new(plan.steps.len());
        let buckets = Buckets::of(data_plan, data);
        let rows = (data, buckets.as_deref());
        let gathering =
            (plan.accumulate > 1).then(|| Gathering::new(updates, rows, size, plan.accumulate, losses));
        let mut trainer = Trainer {
            plan,
            data_plan,
            data,
            bindings,
            phases,
            eval_graph,
            weights,
            paces,
            engine,
            gathering,
            buckets,
            steps: Vec::new(),
            evals: Vec::new(),
            under_way: VecDeque::with_capacity(WAITING),
            losses: VecDeque::with_capacity(WAITING),
            parts: VecDeque::with_capacity(WAITING * plan.steps.len()),
            part: Vec::with_capacity(plan.steps.len()),
        };
        if trainer.engine.plans_ahead() {
            trainer.add_all()?;
            trainer.engine.keeps_to_limit()?;
            trainer.engine.allocate(&trainer.weights)?;
        }
        Ok(trainer)
    }

    /// Adds the programs of every batch size that occurs.
    fn add_all(&mut self) -> Result<(), Box<Diagnostic>> {
        let [steps, evals] = batch_sizes(self.plan, self.data_plan, self.data);
        for rung in 0..self.phases.len() {
            for phase in 0..self.phases[rung].len() {
                for rows in &steps {
                    self.step_at(Made { rows: *rows, rung, phase })?;
                }
            }
        }
        for batch in evals {
            self.eval_at(batch)?;
        }
        self.add_updates()
    }

    /// Adds the updates of steps that take several batches.
    fn add_updates(&mut self) -> Result<(), Box<Diagnostic>> {
        let Some(gathering) = self.gathering.as_mut().filter(|g| g.programs.is_empty()) else {
            return Ok(());
        };
        for update in &gathering.updates {
            let program = lowered(&update.graph, &self.bindings, 1, self.engine.fusion());
            let at = self.engine.add(program, &self.weights, &columns(self.data_plan), &[])?;
            gathering.programs.push(at);
        }
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

    /// Times the kernels of what is compiled from now on; `false` where that cannot be.
    pub fn time_kernels(&mut self) -> bool {
        self.engine.time_kernels()
    }

    /// What the kernels of the first step's program took in so many steps.
    pub fn kernel_times(&self, steps: u64) -> Vec<KernelTime> {
        self.steps.first().map_or(Vec::new(), |(_, at)| self.engine.kernel_times(*at, steps))
    }

    /// How training goes through the rows.
    pub fn order(&self) -> Order {
        train_order(self.plan, self.data_plan, self.data)
    }

    /// Which training rows meet, if the data say so.
    pub fn buckets(&self) -> Option<&Arc<Buckets>> {
        self.buckets.as_ref()
    }

    /// Compiles the step of a batch size, with rows of full length: that needs the most memory.
    pub fn prepare(&mut self, batch: usize) -> Result<(), RunError> {
        let rows = Gathering::sizes(batch_of(self.data_plan, self.data.train.len()), &[batch])[0];
        let at = self.step_at(Made { rows, rung: 0, phase: self.phase(0) }).map_err(|wrong| *wrong)?;
        // Programs that come later are smaller: what they have beside is no reason to stop a run.
        self.engine.keeps_to_limit().map_err(|wrong| *wrong)?;
        self.add_updates().map_err(|wrong| *wrong)?;
        self.engine.prepare(at).map_err(|wrong| self.stopped(*wrong))
    }

    fn step_at(&mut self, made: Made) -> Result<usize, Box<Diagnostic>> {
        if let Some((_, at)) = self.steps.iter().find(|(of, _)| *of == made) {
            return Ok(*at);
        }
        let phase = &self.phases[made.rung][made.phase];
        let program = lowered(&phase.graph, &self.bindings, made.rows, self.engine.fusion());
        // The losses are the first outputs of a training graph.
        let kept: Vec<usize> = (0..phase.losses()).collect();
        let at = self.engine.add(program, &self.weights, &columns(self.data_plan), &kept)?;
        self.steps.push((made, at));
        Ok(at)
    }

    /// The phase of a batch, counted from 0: which of the steps act there. Where they take turns, the first.
    fn phase(&self, batch: u64) -> usize {
        if self.gathering.is_some() {
            let first = self.plan.steps.iter().position(|step| step.acts(batch));
            return first.expect("runtime: a step acts on every batch");
        }
        let of = |phase: &Phase| {
            let mut all = self.plan.steps.iter().zip(&phase.acts);
            all.all(|(step, acts)| step.acts(batch) == *acts)
        };
        self.phases[0].iter().position(of).expect("runtime: every batch has its phase")
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
        if self.gathering.is_some() {
            return self.step_of_several(batch, of);
        }
        let phase = self.phase(batch.step);
        let made = Made { rows: batch.rows.count, rung: batch.rung, phase };
        let at = self.step_at(made).map_err(|wrong| *wrong)?;
        self.under_way.push_back(Run { of, what: What::Step { phase } });
        let scalars = self.paces.at(batch.step, of.rows);
        self.engine.run(at, batch, scalars, step).map_err(|wrong| self.stopped(*wrong))?;
        self.gather();
        Ok(())
    }

    /// The same in several batches that gather their gradients, and an update: so for each of the steps that act.
    fn step_of_several(&mut self, batch: &Batch, of: Loss) -> Result<(), RunError> {
        self.add_updates().map_err(|wrong| *wrong)?;
        let plan = self.plan;
        let last = plan.steps.iter().rposition(|step| step.acts(batch.step));
        for at in 0..plan.steps.len() {
            if plan.steps[at].acts(batch.step) {
                self.turn(batch, of, at, last == Some(at))?;
            }
        }
        Ok(())
    }

    /// The batches of one of the steps, and its update.
    fn turn(&mut self, batch: &Batch, of: Loss, step: usize, last: bool) -> Result<(), RunError> {
        let made = "runtime: a step of several batches has somewhere to gather";
        let cuts = self.gathering.as_ref().expect(made).cuts(batch.step, of.rows);
        for cut in cuts {
            let program = Made { rows: cut.count, rung: batch.rung, phase: step };
            let at = self.step_at(program).map_err(|wrong| *wrong)?;
            self.under_way.push_back(Run { of, what: What::Batch { rows: cut.count } });
            let part = self.gathering.as_mut().expect(made).take(batch, cut);
            let scalars = self.paces.at(batch.step, of.rows);
            let ran = self.engine.run(at, &part, scalars, cut.draw);
            ran.map_err(|wrong| self.stopped(*wrong))?;
            self.gather();
        }
        let acts = self.plan.steps.iter().map(|step| step.acts(batch.step));
        let at = self.gathering.as_ref().expect(made).program(step, acts);
        self.under_way.push_back(Run { of, what: What::Update { step, last } });
        let scalars = self.paces.at(batch.step, of.rows);
        self.engine.run(at, batch, scalars, of.step).map_err(|wrong| self.stopped(*wrong))?;
        self.gather();
        Ok(())
    }

    fn gather(&mut self) {
        while let Some(values) = self.engine.landed() {
            let run = self.under_way.pop_front().expect("runtime: a result is of a run under way");
            match run.what {
                What::Step { phase } => {
                    self.losses.push_back(Loss { value: values[0], ..run.of });
                    let mut own = values[1..].iter();
                    if self.plan.steps.len() > 1 {
                        let part = |acts: &bool| if *acts { own.next().copied() } else { None };
                        let parts = self.phases[0][phase].acts.iter().map(part);
                        self.parts.extend(parts.map(|part| part.unwrap_or(f32::NAN)));
                    }
                }
                What::Batch { rows } => told(&mut self.gathering).batch(values[0], rows),
                What::Update { step, last } => {
                    let losses = told(&mut self.gathering);
                    losses.turn(step, run.of.rows);
                    if last {
                        let several = self.plan.steps.len() > 1;
                        let parts = &mut self.parts;
                        let value = losses.end(|own| parts.extend(own.iter().filter(|_| several)));
                        self.losses.push_back(Loss { value, ..run.of });
                    }
                }
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
        let loss = self.losses.pop_front()?;
        self.part.clear();
        let own = self.parts.len().min(self.plan.steps.len());
        self.part.extend(self.parts.drain(..own));
        Some(loss)
    }

    /// Of several steps, the losses of each that make up the last of [`next_loss`](Self::next_loss); not a number
    /// for those that did nothing on its batch. Of one step nothing.
    pub fn parts(&self) -> &[f32] {
        &self.part
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
        self.paces.observe(self.plan, evaluation);
    }

    /// What was learnt from [`observe`](Self::observe): a checkpoint keeps it, so that a run that goes on does so
    /// as if it had never stopped. Null if there is nothing.
    pub fn observed(&self) -> serde_yaml::Value {
        self.paces.observed()
    }

    /// Goes on from what [`observed`](Self::observed) gave.
    ///
    /// # Errors
    /// If that was of another kind of run, with the reason.
    pub fn remember(&mut self, observed: &serde_yaml::Value) -> Result<(), String> {
        self.paces.remember(self.plan, observed)
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
            // What an evaluation draws depends on the batch alone.
            self.engine.run(at, &batch, &[], batch.step).map_err(|wrong| *wrong)?;
            add(&mut self.engine, &mut counted);
        }
        self.engine.finish().map_err(|wrong| *wrong)?;
        add(&mut self.engine, &mut counted);
        assert_eq!(counted, until, "runtime: every batch has results");
        Ok(Evaluation { loss: loss / part.len() as f64, metrics: tallies.figures() })
    }
}

/// The losses of a step of several batches.
fn told(gathering: &mut Option<Gathering>) -> &mut Losses {
    &mut gathering.as_mut().expect("runtime: batches are gathered").losses
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
