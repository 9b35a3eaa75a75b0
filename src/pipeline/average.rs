//! Weights averaged over the steps: `ema = 0.999` (Polyak and Juditsky, 1992).
//!
//! Beside each trained weight stands an average that moves towards it: new = decay * old + (1 - decay) * weight.
//! The first step copies the weight, as Keras' `use_ema` and PyTorch's `AveragedModel` do. Evaluation reads the
//! averages; training goes on from the weights.

use super::weights;
use crate::graph::{Builder, Graph, Init, LeafId, LeafKind, OutputKind, Value};
use crate::sema::job::TrainPlan;

/// The state that averages a weight.
pub fn average_of(weight: &str) -> String {
    format!("{weight}.ema")
}

/// Adds the next average of a weight that becomes `next`. `step` counts from 1.
pub(super) fn update(b: &mut Builder, decay: f64, step: Value, weight: LeafId, next: Value) {
    let leaf = b.graph().leaves[weight].clone();
    b.at(leaf.span);
    let name = average_of(&leaf.name);
    let old = b.state(name.clone(), leaf.ty.shape, Init::Constant(0.0));
    let (keep, take, one) = (b.constant(decay), b.constant(1.0 - decay), b.constant(1.0));
    let (kept, taken) = (b.mul(old, keep), b.mul(next, take));
    let mixed = b.add(kept, taken);
    let first = b.le(step, one);
    let average = b.select(first, next, mixed);
    let leaf = b.find(&name).expect("average: the state was just made");
    b.output(name, average, OutputKind::Update(leaf));
}

/// The evaluation, with averages in the place of the weights that have one.
pub fn eval_graph(plan: &TrainPlan) -> Graph {
    let mut graph = plan.eval.clone();
    if plan.ema.is_none() {
        return graph;
    }
    let trained = weights(plan);
    let names: Vec<&str> = trained.iter().map(|w| &*plan.forward.leaves[*w].name).collect();
    for id in graph.leaves.ids() {
        let leaf = &mut graph.leaves[id];
        if names.contains(&&*leaf.name) {
            leaf.name = average_of(&leaf.name).into();
            leaf.kind = LeafKind::State(Init::Constant(0.0));
        }
    }
    graph
}
