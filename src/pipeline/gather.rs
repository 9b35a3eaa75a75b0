//! Steps of several batches: `accumulate = 4`.
//!
//! Each batch adds its gradients, times its rows, to a state beside each weight; then one update takes their mean
//! over all rows, as a single batch of all of them would give it. Only activations of one batch are in memory.

use super::{Step, becomes, gradients, updates, weights};
use crate::base::{DType, Dim};
use crate::graph::{Builder, Graph, Init, LeafId, LeafKind, Value};
use crate::ops::Library;
use crate::sema::job::{StepPlan, TrainPlan};

pub(super) fn step(lib: &Library, plan: &TrainPlan) -> Step {
    let [one] = plan.steps.as_slice() else { panic!("gather: batches are gathered for one step") };
    Step { batch: batch(one), update: Some(update(lib, plan, one)) }
}

/// The state that gathers the gradients of a weight.
fn gathered(b: &mut Builder, weight: LeafId) -> (LeafId, Value) {
    let leaf = b.graph().leaves[weight].clone();
    b.at(leaf.span);
    let name = format!("{}.gathered", leaf.name);
    let value = b.state(name.clone(), leaf.ty.shape, Init::Constant(0.0));
    (b.find(&name).expect("gather: the state was just made"), value)
}

fn batch(plan: &StepPlan) -> Graph {
    let mut b = Builder::resume(plan.forward.clone());
    let rows = b.size(&Dim::sym("B"));
    for (weight, gradient) in gradients(&mut b, plan) {
        let (leaf, sum) = gathered(&mut b, weight);
        let share = b.mul(gradient, rows);
        let next = b.add(sum, share);
        becomes(&mut b, leaf, next);
    }
    b.finish()
}

fn update(lib: &Library, plan: &TrainPlan, step: &StepPlan) -> Graph {
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
    for (leaf, next) in updates(lib, &mut b, plan, step, &means) {
        becomes(&mut b, leaf, next);
    }
    for sum in sums {
        let (zero, shape) = (b.constant(0.0), b.graph().leaves[sum].ty.shape.clone());
        let zeros = b.broadcast_to(zero, &shape);
        becomes(&mut b, sum, zeros);
    }
    b.finish()
}
