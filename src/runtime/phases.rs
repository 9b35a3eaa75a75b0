//! What is done on a batch: all steps of a training, or those that are due there.

use crate::graph::{Graph, OutputKind};
use crate::ops::Library;
use crate::pipeline;
use crate::sema::job::{LONGEST_CYCLE, TrainPlan};

/// Steps that act on one batch, as one graph.
pub struct Phase {
    /// By step.
    pub acts: Vec<bool>,
    /// Rewritten; its losses are the first outputs: the sum, and of named steps each.
    pub graph: Graph,
}

impl Phase {
    pub fn losses(&self) -> usize {
        self.graph.outputs.iter().filter(|output| output.kind == OutputKind::Loss).count()
    }
}

/// The update behind the turn of a step that takes several batches.
pub struct Update {
    /// Which steps take a turn, and whose turn it is behind.
    pub acts: Vec<bool>,
    pub step: usize,
    /// Rewritten.
    pub graph: Graph,
}

/// Every phase that occurs, that of the first batch first. Where batches are gathered, each step takes its turn alone:
/// phases are then one for each step, in order.
pub fn phases(lib: &Library, plan: &TrainPlan) -> Vec<Phase> {
    let rewritten = |graph| pipeline::rewrite(graph).0;
    if plan.accumulate > 1 {
        let alone = |(at, step)| {
            let acts = (0..plan.steps.len()).map(|other| other == at).collect();
            Phase { acts, graph: rewritten(pipeline::gathering_graph(step)) }
        };
        return plan.steps.iter().enumerate().map(alone).collect();
    }
    let of = |acts: Vec<bool>| {
        let graph = rewritten(pipeline::steps_graph(lib, plan, &|step| acts[step]));
        Phase { acts, graph }
    };
    acting(plan).into_iter().map(of).collect()
}

/// The updates of steps that take several batches.
pub fn updates(lib: &Library, plan: &TrainPlan) -> Vec<Update> {
    let mut all = Vec::new();
    for acts in acting(plan).into_iter().filter(|_| plan.accumulate > 1) {
        for step in (0..acts.len()).filter(|step| acts[*step]) {
            let (graph, _) = pipeline::rewrite(pipeline::update_graph(lib, plan, step, &|other| acts[other]));
            all.push(Update { acts: acts.clone(), step, graph });
        }
    }
    all
}

/// Which steps act together on a batch, as it occurs, that of the first batch first.
fn acting(plan: &TrainPlan) -> Vec<Vec<bool>> {
    let mut all: Vec<Vec<bool>> = Vec::new();
    for batch in 0..cycle(plan) {
        let acts: Vec<bool> = plan.steps.iter().map(|step| step.acts(batch)).collect();
        if !all.contains(&acts) {
            all.push(acts);
        }
    }
    all
}

/// Batches until the steps act as they did at the start.
fn cycle(plan: &TrainPlan) -> u64 {
    plan.steps.iter().fold(1, |all, step| all / gcd(all, step.every) * step.every).min(LONGEST_CYCLE)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
