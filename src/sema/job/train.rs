//! A `train` section, checked: its graphs, and how they are run.

use super::{Better, Clip, EarlyStopping, Finish, Plateau, Schedule};
use crate::base::{Dim, Precision, Span};
use crate::graph::{Graph, Value};
use std::borrow::Cow;

/// A `train` section.
#[derive(Clone, Debug)]
pub struct TrainPlan {
    pub name: Option<String>,
    pub span: Span,
    /// Which of [`Job::data`] it reads.
    pub data: usize,
    pub length: Length,
    pub seed: u64,
    /// Batches of a step, at least 1: their gradients are averaged over all rows.
    pub accumulate: usize,
    /// The share that averages of the weights keep at each step; evaluation reads them.
    pub ema: Option<f64>,
    /// Of products, forward and backward, in training and evaluation.
    pub precision: Precision,
    /// The most that it may take, if that is said.
    pub memory: Option<MemoryLimit>,
    /// States that training rows decide: weights of classes.
    pub balanced: Vec<Balance>,
    /// Without one, training goes on for its length.
    pub stop: Option<StopPlan>,
    pub checkpoint: Option<CheckpointPlan>,
    /// Steps between two that are logged, if that is said.
    pub log: Option<u64>,
    /// What is done on each batch, in order: one without a name, or several that have names.
    pub steps: Vec<StepPlan>,
    /// By the shorter lengths of the section's [`BucketPlan`](super::BucketPlan): the forward graphs of all steps.
    pub shorter: Vec<Vec<Graph>>,
    /// Evaluation mode; outputs are `loss`, averaged over the batch, of several steps their sum, and the
    /// [`Metric`](crate::graph::OutputKind::Metric)s that `metrics` name, summed over it.
    pub eval: Graph,
    pub metrics: Vec<MetricPlan>,
    /// What the model answers, by the pairs of the loss.
    pub answers: Vec<Answer>,
}

/// `memory = 2GiB`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    pub bytes: usize,
    pub span: Span,
}

/// Batches after which the steps of a training act as they did at the start, at most.
pub const LONGEST_CYCLE: u64 = 10_000;

/// `step critic { updates = D  loss = …  optimizer = … }`: one loss, and the weights that it moves.
#[derive(Clone, Debug)]
pub struct StepPlan {
    /// `critic`; without one it is all that is done on a batch.
    pub name: Option<String>,
    pub span: Span,
    /// It is taken on each batch whose number, from 1, this divides.
    pub every: u64,
    pub optimizer: OptimizerPlan,
    /// Without one, the optimizer's `lr` stays.
    pub schedule: Option<Schedule>,
    /// Instead of a schedule: the rate falls when validations stop getting better.
    pub plateau: Option<PlateauPlan>,
    pub clip: Option<Clip>,
    /// Names of the weights that stay as they are, in the order of the graph.
    pub frozen: Vec<String>,
    /// Weights with settings of their own; of two groups that name a weight, the later decides.
    pub groups: Vec<Group>,
    /// Training mode; its first output is the loss, a scalar averaged over the batch. Others are the next values of
    /// states that belong to the model, such as moving averages.
    pub forward: Graph,
}

/// `class_weights=balanced`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The column of the batch whose classes are counted.
    pub column: String,
    /// The state of the model that holds a weight for each: `species.class_weights`.
    pub state: String,
}

/// `stop = EarlyStopping(monitor=valid.loss, patience=5)`
#[derive(Clone, Debug, PartialEq)]
pub struct StopPlan {
    pub monitor: Monitor,
    pub rule: EarlyStopping,
    pub span: Span,
}

/// `checkpoint { every = 500  keep = 3  best = valid.loss }`
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointPlan {
    /// In steps; after each epoch if not said. The validation split is evaluated there too.
    pub every: Option<u64>,
    /// How many stay, the latest of all; the best stays beside them.
    pub keep: usize,
    pub best: Option<Monitor>,
    pub span: Span,
}

/// `schedule = plateau(patience=5, monitor=valid.loss)`
#[derive(Clone, Debug, PartialEq)]
pub struct PlateauPlan {
    pub monitor: Monitor,
    pub rule: Plateau,
    /// The optimizer's, where it starts.
    pub lr: f64,
}

/// A value that evaluations give: `valid.loss`.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    pub of: Watched,
    /// `loss` or the name of a metric.
    pub metric: String,
    pub better: Better,
    pub span: Span,
}

/// The split that a [`Monitor`] watches: never the test split, which is for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Its loss, averaged since the evaluation before.
    Train,
    Valid,
}

impl std::fmt::Display for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let of = match self.of {
            Watched::Train => "train",
            Watched::Valid => "valid",
        };
        write!(f, "{of}.{}", self.metric)
    }
}

impl StepPlan {
    /// The schedule as it is written, with every setting.
    pub fn schedule_text(&self) -> Option<String> {
        let plateau = self.plateau.as_ref().map(|p| format!("{} of {}", p.rule, p.monitor));
        self.schedule.as_ref().map(ToString::to_string).or(plateau)
    }

    /// What stands before the names of all that is its own: `critic.`, or nothing.
    pub fn prefix(&self) -> String {
        self.name.as_ref().map_or(String::new(), |name| format!("{name}."))
    }

    /// Whether it is taken on a batch, counted from 0.
    pub fn acts(&self, batch: u64) -> bool {
        (batch + 1).is_multiple_of(self.every)
    }
}

impl TrainPlan {
    /// The graphs of all steps, in training mode.
    pub fn forwards(&self) -> impl Iterator<Item = &Graph> {
        self.steps.iter().map(|step| &step.forward)
    }

    /// The training at each length that batches may have, that of full length first.
    pub fn rungs(&self) -> impl Iterator<Item = Cow<'_, TrainPlan>> {
        let shorter = self.shorter.iter().map(|forwards| {
            let mut plan = self.clone();
            plan.steps.iter_mut().zip(forwards).for_each(|(step, graph)| step.forward = graph.clone());
            Cow::Owned(plan)
        });
        std::iter::once(Cow::Borrowed(self)).chain(shorter)
    }

    /// Every graph of the section.
    pub fn graphs(&self) -> impl Iterator<Item = &Graph> {
        self.forwards().chain([&self.eval])
    }

    /// The names of the steps; none if there is one alone.
    pub fn step_names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| step.name.as_deref())
    }

    /// What chooses the weights that a run ends with: early stopping that restores the best, or the best
    /// checkpoint. Without either they are those of the last step.
    pub fn chooser(&self) -> Option<&Monitor> {
        let restores = self.stop.as_ref().filter(|stop| stop.rule.restore_best).map(|stop| &stop.monitor);
        restores.or(self.checkpoint.as_ref().and_then(|c| c.best.as_ref()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Epochs(usize),
    Steps(usize),
}

/// `Adam(lr=1e-3)`, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerPlan {
    /// As in the registry: `Adam`.
    pub name: String,
    pub settings: Vec<(String, f64)>,
    pub span: Span,
}

impl OptimizerPlan {
    /// A number of the checked call.
    ///
    /// # Panics
    /// If the optimizer has no such setting.
    pub fn setting(&self, name: &str) -> f64 {
        let found = self.settings.iter().find(|(n, _)| n == name);
        found.unwrap_or_else(|| panic!("job: {} has a setting `{name}`", self.name)).1
    }
}

/// `head { weights = [fc2]  lr = 1e-2 }`, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// `head`; empty for those of `no_decay`.
    pub name: String,
    /// Names of weights, in the order of the graph.
    pub weights: Vec<String>,
    /// What differs from the optimizer's. A schedule multiplies `lr` as it does the optimizer's.
    pub settings: Vec<(String, f64)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetricPlan {
    /// `accuracy`; where a list has several, what tells them apart: `top_k(5)`, `accuracy.kind`.
    pub name: String,
    /// Whether early stopping looks for more of it or less. Of a loss less is better.
    pub better: Better,
    /// The outputs of the evaluation graph that it is made of, in the order of a
    /// [`Tally`](crate::ops::metric::Tally): `accuracy`, or `f1.hits` and others.
    pub outputs: Vec<String>,
    /// How many numbers they hold together.
    pub numbers: Dim,
    /// Where each group of rows is judged on its own.
    pub by: Option<GroupPlan>,
    /// How many elements they are made of: `B`, or `B*T` of sequences; with `by`, those of one row.
    pub count: Dim,
    /// Whether the last number says how many it were: a mask leaves padding out.
    pub counted: bool,
    pub finish: Finish,
    /// How many classes it tells apart, as a [`Score`](crate::ops::metric::Score) says.
    pub classes: Dim,
    /// The column that predictions are compared with, if it is one: it may name the classes.
    pub label: Option<String>,
    /// The power of the label's unit that it is in: 1 of `rmse`, 2 of `mse`, 0 of what has none.
    pub power: i32,
}

/// A prediction of a model, for rows without a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// As the spec calls the label; of a loss of the user's own `Model.output`.
    pub name: String,
    /// A node of the evaluation's graph, whose first axis is the batch.
    pub value: Value,
    pub kind: AnswerKind,
    /// The column that the prediction was compared with in training: it names classes, and its scale is that of
    /// numbers.
    pub label: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// A logit for each class.
    Classes,
    /// One logit: positive for the second of two classes.
    Binary,
    /// Numbers as they are.
    Numbers,
}

/// How rows are sorted into groups. The group of each row is the last of the metric's outputs; the others
/// have the batch for their first axis.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupPlan {
    /// As the spec has it: `sex`.
    pub by: String,
    /// The column of the batch, which may name the groups.
    pub column: Option<String>,
    /// How many numbers each of the other outputs has for a row.
    pub widths: Vec<Dim>,
}
