//! Steps of several batches: `accumulate = 4`.
//!
//! Each batch adds its gradients, times its rows, to a state beside each weight; then one update takes their mean
//! over all rows, as a single batch of all of them would give it. Only activations of one batch are in memory.
//!
//! Of several steps each takes its turn: all batches and its update, then the next step the same batches, which
//! sees the weights as the one before it leaves them.

use super::{average, becomes, clipped, gradients, trained_by, update_of, weights};
use crate::base::{DType, Dim};
use crate::graph::{Builder, Graph, Init, LeafId, LeafKind, Prim, Value};
use crate::ops::Library;
use crate::ops::optimizer::Scalars;
use crate::sema::job::{StepPlan, TrainPlan};
use std::sync::Arc;

/// The state that gathers the gradients of a weight.
fn gathered(b: &mut Builder, weight: LeafId) -> (LeafId, Value) {
    let leaf = b.graph().leaves[weight].clone();
    b.at(leaf.span);
    let name = format!("{}.gathered", leaf.name);
    let value = b.state(name.clone(), leaf.ty.shape, Init::Constant(0.0));
    (b.find(&name).expect("gather: the state was just made"), value)
}

/// The turn of a step on one batch: its loss, and its gradients added to those gathered so far.
pub(super) fn batch(plan: &StepPlan) -> Graph {
    let mut b = Builder::resume(drawn_anew(plan));
    let rows = b.size(&Dim::sym("B"));
    for (weight, gradient) in gradients(&mut b, plan) {
        let (leaf, sum) = gathered(&mut b, weight);
        let share = b.mul(gradient, rows);
        let next = b.add(sum, share);
        becomes(&mut b, leaf, next);
    }
    b.finish()
}

/// The forward graph with random numbers of its own: no two steps draw the same.
fn drawn_anew(plan: &StepPlan) -> Graph {
    let mut forward = plan.forward.clone();
    for id in forward.nodes.ids() {
        if let Prim::Random { site } = &mut forward.nodes[id].prim {
            *site = Arc::from(format!("{}{site}", plan.prefix()));
        }
    }
    forward
}

/// The update behind the turn of the step in place `at`, where those steps take theirs that `acts` chooses.
pub(super) fn update(lib: &Library, plan: &TrainPlan, at: usize, acts: &dyn Fn(usize) -> bool) -> Graph {
    let step = &plan.steps[at];
    let mut b = Builder::new(format!("{}.update", step.forward.name));
    let rows = b.scalar_leaf("rows", DType::F32);
    let (mut means, mut sums) = (Vec::new(), Vec::new());
    for weight in weights(step) {
        let leaf = &step.forward.leaves[weight];
        assert!(matches!(leaf.kind, LeafKind::Param(_)), "gather: weights are trained");
        b.at(leaf.span);
        b.leaf(leaf.name.clone(), leaf.ty.clone(), leaf.kind.clone());
        let weight = b.find(&leaf.name).expect("gather: the weight was just made");
        let (sum, value) = gathered(&mut b, weight);
        means.push((weight, b.div(value, rows)));
        sums.push(sum);
    }
    let scalars = Scalars::new(&mut b, &step.prefix());
    for (&(weight, _), mean) in means.iter().zip(clipped(lib, &mut b, step, &means)) {
        let w = b.read(weight);
        for (leaf, next) in update_of(lib, &mut b, step, scalars, (weight, w), mean) {
            if leaf == weight {
                averaged(&mut b, plan, (at, acts), weight, next);
            }
            becomes(&mut b, leaf, next);
        }
    }
    for sum in sums {
        let (zero, shape) = (b.constant(0.0), b.graph().leaves[sum].ty.shape.clone());
        let zeros = b.broadcast_to(zero, &shape);
        becomes(&mut b, sum, zeros);
    }
    b.finish()
}

/// Has the average of a weight follow it, behind the last turn that moves it.
fn averaged(
    b: &mut Builder,
    plan: &TrainPlan,
    (at, acts): (usize, &dyn Fn(usize) -> bool),
    weight: LeafId,
    next: Value,
) {
    let Some(decay) = plan.ema else { return };
    let name = b.graph().leaves[weight].name.clone();
    let moves = |step: &StepPlan| trained_by(step).any(|trained| trained == &*name);
    let moved_later = (at + 1..plan.steps.len()).any(|later| acts(later) && moves(&plan.steps[later]));
    if moved_later {
        return;
    }
    let first = plan.steps.iter().filter(|step| moves(step)).map(|step| step.every).min();
    let first = first.expect("gather: what moved is moved by a step");
    let count = Scalars::new(b, "").step;
    let (average, next) = average::next(b, decay, (count, first), weight, next);
    becomes(b, average, next);
}
