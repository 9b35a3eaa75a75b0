//! Weights averaged over the steps: `ema = 0.999` (Polyak and Juditsky, 1992).
//!
//! Beside each trained weight stands an average that moves towards it: new = decay * old + (1 - decay) * weight.
//! The first step copies the weight, as Keras' `use_ema` and PyTorch's `AveragedModel` do. Evaluation reads the
//! averages; training goes on from the weights.

use super::trained_by;
use crate::graph::{Builder, Graph, Init, LeafId, LeafKind, Value};
use crate::sema::job::TrainPlan;
use std::collections::BTreeSet;

/// The state that averages a weight.
pub fn average_of(weight: &str) -> String {
    format!("{weight}.ema")
}

/// The next average of a weight that becomes `next`, and the state that holds it. `step` counts from 1; the weight
/// moves for the first time in the one that comes with it.
pub(super) fn next(
    b: &mut Builder,
    decay: f64,
    (step, first): (Value, u64),
    weight: LeafId,
    next: Value,
) -> (LeafId, Value) {
    let leaf = b.graph().leaves[weight].clone();
    b.at(leaf.span);
    let name = average_of(&leaf.name);
    let old = b.state(name.clone(), leaf.ty.shape, Init::Constant(0.0));
    let (keep, take, one) = (b.constant(decay), b.constant(1.0 - decay), b.constant(first as f64));
    let (kept, taken) = (b.mul(old, keep), b.mul(next, take));
    let mixed = b.add(kept, taken);
    let first = b.le(step, one);
    let average = b.select(first, next, mixed);
    (b.find(&name).expect("average: the state was just made"), average)
}

/// The evaluation, with averages in the place of the weights that have one.
pub fn eval_graph(plan: &TrainPlan) -> Graph {
    let mut graph = plan.eval.clone();
    if plan.ema.is_none() {
        return graph;
    }
    let names: BTreeSet<&str> = plan.steps.iter().flat_map(trained_by).collect();
    for id in graph.leaves.ids() {
        let leaf = &mut graph.leaves[id];
        if names.contains(&&*leaf.name) {
            leaf.name = average_of(&leaf.name).into();
            leaf.kind = LeafKind::State(Init::Constant(0.0));
        }
    }
    graph
}
