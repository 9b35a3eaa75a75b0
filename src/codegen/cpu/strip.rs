//! The plan of one strip: what is stored between loops, what is called, what the last loop does.
//!
//! A strip is a run of lanes that stays in L1. Its work is a list of stages, each some strip calls
//! and then one vector loop that leaves values in scratch for the calls and loops behind it, and a
//! last loop that folds and writes to buffers. All buffers are written in that loop, after every
//! load of the same elements, so a buffer may share memory with one that the kernel reads in the
//! same places.

use super::facts::{Class, Facts};
use super::nest::Nest;
use crate::loops::{Node, NodeId};

#[derive(Clone, Debug, Default)]
pub struct StripPlan {
    pub stages: Vec<Stage>,
    /// What the last loop leaves in scratch.
    pub outs: Vec<NodeId>,
    /// Fold nodes whose terms the last loop adds up.
    pub folds: Vec<NodeId>,
    /// Indices of `body.stores`.
    pub stores: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
pub struct Stage {
    /// In order: each may use what the ones before it give.
    pub calls: Vec<NodeId>,
    /// Computed by a vector loop and left in scratch.
    pub outs: Vec<NodeId>,
}

/// What a strip must leave behind.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    pub outs: Vec<NodeId>,
    pub folds: Vec<NodeId>,
    pub stores: Vec<usize>,
}

/// Bodies of the last loop beyond this are not worth its fourfold unrolling for folds.
const FOLD_BODY: u32 = 24;

/// Plans a strip. `have[node]`: it lies in scratch already, or one number serves all lanes.
pub fn plan(nest: &Nest, facts: &Facts, have: &[bool], targets: Targets) -> StripPlan {
    let nodes = &nest.body.nodes;
    let fold_inputs = targets.folds.iter().flat_map(|f| nodes[*f].inputs());
    let store_values = targets.stores.iter().map(|&s| &nest.body.stores[s].value);
    let roots: Vec<NodeId> = targets.outs.iter().chain(fold_inputs).chain(store_values).copied().collect();
    let needed = closure(nest, have, &roots);
    let stage = stages_of(nest, facts, have, &needed);
    let last = (0..nodes.len()).filter(|&n| needed[n]).map(|n| stage[n]).max().unwrap_or(0);

    let mut plan = StripPlan { stages: vec![Stage::default(); last + 1], ..StripPlan::default() };
    let mut stored = vec![false; nodes.len()];
    for (id, node) in nodes.iter().filter(|(id, _)| needed[id.index()]) {
        if !facts.called[id.index()] {
            for &input in node.inputs() {
                let from = input.index();
                let crosses = needed[from] && stage[from] < stage[id.index()];
                stored[from] |= crosses && facts.worth_storing(input);
            }
            continue;
        }
        plan.stages[stage[id.index()]].calls.push(id);
        for &arg in node.inputs() {
            stored[arg.index()] |= !addressable(nest, facts, have, arg);
        }
    }
    for &root in &roots {
        let at = root.index();
        stored[at] |= needed[at] && stage[at] < last && facts.worth_storing(root);
    }
    for &out in &targets.outs {
        stored[out.index()] |= needed[out.index()] && stage[out.index()] < last;
    }
    // What this strip calls lies in scratch by itself; a number for all lanes is spread, however
    // it came about.
    let called_here = |id: NodeId| needed[id.index()] && facts.called[id.index()];
    for id in nodes.ids().filter(|id| stored[id.index()] && !called_here(*id)) {
        plan.stages[stage[id.index()]].outs.push(id);
    }
    let in_last = |out: &NodeId| !stored[out.index()] && !facts.called[out.index()];
    plan.outs = targets.outs.iter().copied().filter(in_last).collect();
    plan.folds = targets.folds;
    plan.stores = targets.stores;
    split_dear_folds(nest, facts, have, &mut plan, &stored);
    plan.stages.retain(|s| !s.calls.is_empty() || !s.outs.is_empty());
    plan
}

/// Gives the terms of folds a loop of their own where computing them is long: the loop that folds
/// is unrolled for its 16 lanes, and this keeps it small.
fn split_dear_folds(nest: &Nest, facts: &Facts, have: &[bool], plan: &mut StripPlan, stored: &[bool]) {
    let terms: Vec<NodeId> = plan.folds.iter().flat_map(|f| nest.body.nodes[*f].inputs()).copied().collect();
    let stores = plan.stores.iter().map(|&s| nest.body.stores[s].value);
    let work: u32 = terms.iter().copied().chain(stores).map(|n| facts.cost[n.index()]).sum();
    if plan.folds.is_empty() || work <= FOLD_BODY {
        return;
    }
    let mut outs = std::mem::take(&mut plan.outs);
    for term in terms {
        let scratch = stored[term.index()] || have[term.index()] || facts.called[term.index()];
        if !scratch && facts.is_lane(term) && facts.cost[term.index()] > 0 && !outs.contains(&term) {
            outs.push(term);
        }
    }
    outs.sort();
    plan.stages.push(Stage { calls: Vec::new(), outs });
}

/// The nodes to compute for `roots`: lane nodes that are not there yet, and what calls read.
fn closure(nest: &Nest, have: &[bool], roots: &[NodeId]) -> Vec<bool> {
    let mut needed = vec![false; nest.body.nodes.len()];
    for root in roots {
        needed[root.index()] |= !have[root.index()];
    }
    for id in nest.body.nodes.ids().rev().filter(|id| !have[id.index()]) {
        if needed[id.index()] && !matches!(nest.body.nodes[id], Node::Fold { .. }) {
            for input in nest.body.nodes[id].inputs() {
                needed[input.index()] |= !have[input.index()];
            }
        }
    }
    needed
}

/// The stage in which each needed node is there: calls stand before the loop of their stage.
fn stages_of(nest: &Nest, facts: &Facts, have: &[bool], needed: &[bool]) -> Vec<usize> {
    let mut stage = vec![0; needed.len()];
    for (id, node) in nest.body.nodes.iter().filter(|(id, _)| needed[id.index()]) {
        let called = facts.called[id.index()];
        stage[id.index()] = node
            .inputs()
            .iter()
            .map(|&i| stage[i.index()] + usize::from(called && !addressable(nest, facts, have, i)))
            .max()
            .unwrap_or(0);
    }
    stage
}

/// Whether a call can read the node's strip where it lies: in scratch, or contiguous in a buffer.
pub fn addressable(nest: &Nest, facts: &Facts, have: &[bool], node: NodeId) -> bool {
    let in_scratch = facts.class[node.index()] == Class::Lane && have[node.index()];
    in_scratch || facts.called[node.index()] && facts.is_lane(node) || is_dense_load(nest, node)
}

/// Whether it loads `f32` neighbours along the lane, unguarded.
pub fn is_dense_load(nest: &Nest, node: NodeId) -> bool {
    match &nest.body.nodes[node] {
        Node::Load(access) => {
            access.guards.is_empty()
                && access.strides[nest.lane] == 1
                && nest.dtypes[access.buffer.index()] == crate::base::DType::F32
        }
        Node::Acc => true,
        Node::Const { .. }
        | Node::Index { .. }
        | Node::Random { .. }
        | Node::LoadAt { .. }
        | Node::Op { .. }
        | Node::Fold { .. } => false,
    }
}
