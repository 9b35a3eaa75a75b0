//! What is done on a batch: all steps of a training, or those that are due there.

use crate::graph::{Graph, OutputKind};
use crate::ops::Library;
use crate::pipeline::{self, Step};
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

/// Every phase that occurs, that of the first batch first; and the update of a step that takes several batches.
pub fn phases(lib: &Library, plan: &TrainPlan) -> (Vec<Phase>, Option<Graph>) {
    let rewritten = |graph| pipeline::rewrite(graph).0;
    if plan.steps.iter().all(|step| step.every == 1) {
        let Step { batch, update } = pipeline::step(lib, plan);
        let phase = Phase { acts: vec![true; plan.steps.len()], graph: rewritten(batch) };
        return (vec![phase], update.map(rewritten));
    }
    let mut phases: Vec<Phase> = Vec::new();
    for batch in 0..cycle(plan) {
        let acts: Vec<bool> = plan.steps.iter().map(|step| step.acts(batch)).collect();
        if phases.iter().all(|phase| phase.acts != acts) {
            let graph = rewritten(pipeline::steps_graph(lib, plan, &|step| acts[step]));
            phases.push(Phase { acts, graph });
        }
    }
    (phases, None)
}

/// Batches until the steps act as they did at the start.
fn cycle(plan: &TrainPlan) -> u64 {
    plan.steps.iter().fold(1, |all, step| all / gcd(all, step.every) * step.every).min(LONGEST_CYCLE)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
