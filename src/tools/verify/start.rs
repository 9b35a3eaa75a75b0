//! Where the compared step starts: the first weights, the first batch, the optimizer's numbers.

use super::Options;
use crate::base::{Bindings, DType, Sym};
use crate::graph::interp::{Inputs, Tensor};
use crate::graph::{Graph, Leaf, LeafKind, Prim};
use crate::ops::schedule::Rates;
use crate::runtime::data::{Array, Dataset, Order, Values};
use crate::runtime::memory::Backing;
use crate::runtime::paces::rates;
use crate::runtime::trainer::{batch_of, planned_run, train_order};
use crate::runtime::weights::Weights;
use crate::sema::job::{ColumnKind, DataPlan, Encode, StepPlan, TrainPlan};
use mlc_kernels::rng;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Elements and multiply-adds that the interpreter is given at most, if the command line does not say the batch:
/// some seconds of work.
const WORK: u64 = 1 << 27;

/// Everything that a run reads, by leaf name.
#[derive(Clone, Debug)]
pub struct Start {
    pub leaves: BTreeMap<Arc<str>, Numbers>,
    pub bindings: Bindings,
    pub seed: u64,
    /// From 1.
    pub step: u64,
}

/// What a leaf holds.
#[derive(Clone, Debug)]
pub struct Numbers {
    pub shape: Vec<usize>,
    pub values: Values,
}

/// A start, and what is to be said about it.
pub struct Chosen {
    pub start: Start,
    pub batch: usize,
    /// `the first batch of the data`.
    pub from: &'static str,
    pub notes: Vec<String>,
}

/// Chooses the batch and gathers what the step starts from. Without data the batch is made up.
///
/// # Panics
/// If a size is known to the data only and there are none.
pub fn choose(
    plan: &TrainPlan,
    data_plan: &DataPlan,
    data: Option<&Dataset>,
    step: &Graph,
    options: &Options,
) -> Chosen {
    let sizes = data.map_or_else(Bindings::new, |d| d.bindings().clone());
    let rows = data.map_or(usize::MAX, |d| d.train.len());
    let whole = batch_of(data_plan, rows).min(rows);
    let (batch, note) = match options.batch {
        Some(batch) => (batch.min(rows), None),
        None => smaller(step, &sizes, whole),
    };
    let bindings = with_batch(&sizes, batch);
    let mut leaves = weights(plan, step, &bindings);
    let (first, rates) = first_step(plan, data_plan, data);
    leaves.extend(scalars(plan, step, first, &rates));
    let mut notes: Vec<String> = note.into_iter().collect();
    let from = match data {
        Some(data) => {
            leaves.extend(first_batch(plan, data_plan, data, batch));
            "the first batch of the data"
        }
        None => {
            leaves.extend(made_up(plan, data_plan, step, &bindings));
            notes.push("the data are not here: the batch is made up of random numbers".to_string());
            "a batch made up"
        }
    };
    Chosen { start: Start { leaves, bindings, seed: plan.seed, step: first }, batch, from, notes }
}

fn with_batch(sizes: &Bindings, batch: usize) -> Bindings {
    let mut bindings = sizes.clone();
    bindings.insert(Sym::from("B"), batch as i64);
    bindings
}

/// The batch, halved until the interpreter's work is bearable, and a word on it.
fn smaller(step: &Graph, sizes: &Bindings, whole: usize) -> (usize, Option<String>) {
    let mut batch = whole;
    while batch > 1 && work(step, &with_batch(sizes, batch)) > WORK {
        batch /= 2;
    }
    let note = format!("{batch} rows of {whole}, since the interpreter is slow; `--batch {whole}` takes all");
    (batch, (batch < whole).then_some(note))
}

/// Multiply-adds and other elements that a run computes.
fn work(graph: &Graph, bindings: &Bindings) -> u64 {
    let shape = |v| graph.ty(v).shape.bind(bindings).as_const().expect("verify: all sizes are known");
    let elements = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
    let of = |(id, node): (_, &crate::graph::Node)| match &node.prim {
        Prim::Contract { spec, inputs: [lhs, rhs] } => {
            let (lhs, rhs) = (shape(*lhs), shape(*rhs));
            let alone = spec.rhs.iter().zip(&rhs).filter(|(l, _)| !spec.lhs.contains(l));
            elements(&lhs) * alone.map(|(_, &n)| n as u64).product::<u64>()
        }
        Prim::Scan { body, .. } => {
            let length = body.length.bind(bindings).as_const().expect("verify: all sizes are known");
            length as u64 * work(&body.graph, bindings)
        }
        Prim::Leaf(_)
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
        | Prim::Random { .. } => elements(&shape(id)),
    };
    graph.nodes.iter().map(of).sum()
}

type Named = Vec<(Arc<str>, Numbers)>;

/// Weights and states as training draws them.
fn weights(plan: &TrainPlan, step: &Graph, bindings: &Bindings) -> BTreeMap<Arc<str>, Numbers> {
    let mut weights =
        Weights::new(&plan.forwards().chain([step]).collect::<Vec<_>>(), bindings, Backing::Memory);
    weights.draw(plan.seed);
    let slots = weights.slots().iter().enumerate();
    let leaves = slots.map(|(i, slot)| {
        let values = Values::F32(weights.values(i).to_vec());
        (slot.name.clone(), Numbers { shape: slot.shape.clone(), values })
    });
    leaves.collect()
}

/// The first step, from 1, in which the schedules let all weights move, and the learning rate of each train step
/// there: one that starts at 0 would show nothing of an update. Without data nobody knows how long a run is: the
/// optimizers' rates then.
fn first_step(plan: &TrainPlan, data_plan: &DataPlan, data: Option<&Dataset>) -> (u64, Vec<f32>) {
    let usual = |step: &StepPlan| step.optimizer.setting("lr") as f32;
    let otherwise = || (1, plan.steps.iter().map(usual).collect());
    let order = data.map(|data| train_order(plan, data_plan, data)).filter(|o| o.steps_per_epoch() > 0);
    let Some(order) = order else { return otherwise() };
    let scheduled = |step: &StepPlan| Some((rates(plan, step, &order).ok()?, usual(step)));
    let schedules: Option<Vec<(Option<Rates>, f32)>> = plan.steps.iter().map(scheduled).collect();
    let Some(schedules) = schedules else { return otherwise() };
    let at = |step: u64| {
        let rate = |(rates, usual): &(Option<Rates>, f32)| rates.as_ref().map_or(*usual, |r| r.lr(step));
        schedules.iter().map(rate).collect::<Vec<f32>>()
    };
    if schedules.iter().all(|(rates, _)| rates.is_none()) {
        return otherwise();
    }
    let mut steps = 0..planned_run(plan, &order).steps;
    let moving = steps.find(|step| at(*step).iter().all(|lr| *lr > 0.0));
    moving.map_or_else(otherwise, |step| (step + 1, at(step)))
}

/// What a session sets before that step.
fn scalars(plan: &TrainPlan, graph: &Graph, step: u64, rates: &[f32]) -> Named {
    let of = |leaf: &Leaf| {
        let own = plan.steps.iter().zip(rates);
        let lr = own.into_iter().find(|(step, _)| *leaf.name == *format!("{}lr", step.prefix()));
        lr.map_or(step as f32, |(_, lr)| *lr)
    };
    let scalars = graph.leaves.iter().filter(|(_, leaf)| leaf.kind == LeafKind::Scalar);
    let one = |x| Numbers { shape: Vec::new(), values: Values::F32(vec![x]) };
    scalars.map(|(_, leaf)| (leaf.name.clone(), one(of(leaf)))).collect()
}

/// The rows that training takes first.
fn first_batch(plan: &TrainPlan, data_plan: &DataPlan, data: &Dataset, batch: usize) -> Named {
    let order = Order {
        rows: data.train.len(),
        batch,
        drop_last: data_plan.drop_last,
        shuffle: data_plan.shuffle.then_some(plan.seed),
    };
    let mut rows = Vec::new();
    order.arrange(&data.train.rows, 0, &mut rows);
    rows.truncate(batch);
    let columns = data.train.store.some(&rows).into_iter();
    columns.map(|column| (Arc::from(column.name.as_str()), numbers(column, rows.len()))).collect()
}

fn numbers(column: Array, rows: usize) -> Numbers {
    Numbers { shape: std::iter::once(rows).chain(column.row).collect(), values: column.values }
}

/// A batch of random numbers in the columns' types: bytes, class ids that exist, numbers in [-2, 2).
fn made_up(plan: &TrainPlan, data_plan: &DataPlan, step: &Graph, bindings: &Bindings) -> Named {
    let columns = step.leaves.iter().filter(|(_, leaf)| leaf.kind == LeafKind::Batch);
    let column = |(_, leaf): (_, &Leaf)| {
        let shape = leaf.ty.shape.bind(bindings).as_const().expect("verify: all sizes are known");
        let key = rng::key(plan.seed, &format!("verify {}", leaf.name));
        let count = shape.iter().product::<usize>() as u64;
        let draw = |e| rng::uniform(key, 0, e);
        let below = classes(data_plan, &leaf.name) as f32;
        let values = match leaf.ty.dtype {
            DType::U8 => Values::U8((0..count).map(|e| (draw(e) * 256.0) as u8).collect()),
            DType::I32 => Values::I32((0..count).map(|e| (draw(e) * below) as i32).collect()),
            DType::F32 => Values::F32((0..count).map(|e| draw(e) * 4.0 - 2.0).collect()),
        };
        (leaf.name.clone(), Numbers { shape, values })
    };
    columns.map(column).collect()
}

/// How many classes a column is known to have; whole numbers without classes are 0 and 1.
fn classes(data_plan: &DataPlan, column: &str) -> usize {
    let found = data_plan.columns.iter().find(|c| c.name == column);
    match found.map(|c| &c.kind) {
        Some(ColumnKind::One(field)) => field.how.last().and_then(Encode::known_classes).unwrap_or(2),
        Some(ColumnKind::Row(_)) | None => 2,
    }
}

impl Start {
    /// The same for the interpreter.
    pub fn inputs(&self) -> Inputs {
        let leaves = self.leaves.iter().map(|(name, leaf)| {
            let data: Vec<f64> = match &leaf.values {
                Values::U8(v) => v.iter().map(|&x| f64::from(x)).collect(),
                Values::I32(v) => v.iter().map(|&x| f64::from(x)).collect(),
                Values::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            };
            (name.to_string(), Tensor::new(leaf.shape.clone(), data))
        });
        Inputs { leaves: leaves.collect(), bindings: self.bindings.clone(), seed: self.seed, step: self.step }
    }
}
