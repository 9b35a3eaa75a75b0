//! Several steps on one batch: `step critic { … }  step generator { … }`.
//!
//! They are one graph, so that one run does all of them and what they share is computed once. Each step's forward
//! graph is put behind the updates of the one before it and reads the weights and states as those leave them; the
//! gradient of its loss does not flow back through them. What is a step's own bears its name in front: `critic.lr`,
//! `critic.step` (its own count), the states of its optimizer, and the sites of its random numbers, so that all is
//! drawn anew. The first output is the sum of the losses; those of the steps follow, each under `critic.loss`.

use super::{Made, average, becomes, clipped, gradient_of, loss_of, update_of, weights};
use crate::ad;
use crate::graph::{Builder, LeafId, LeafKind, OutputKind, Prim, Value};
use crate::ops::Library;
use crate::ops::optimizer::Scalars;
use crate::sema::job::{StepPlan, TrainPlan};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is known while steps are put together.
struct Steps<'a> {
    lib: &'a Library,
    b: Builder,
    /// What weights and states hold by now, in the order in which they were first changed.
    latest: Vec<(LeafId, Value)>,
    gradients: Vec<(String, Value)>,
    losses: Vec<(String, Value)>,
    /// Weights that some step has moved.
    moved: BTreeSet<LeafId>,
}

/// All steps that act, one behind the other.
///
/// # Panics
/// If none acts.
pub(super) fn made(lib: &Library, plan: &TrainPlan, acts: &dyn Fn(usize) -> bool) -> Made {
    let first = plan.steps.first().expect("steps: a training has a step");
    let mut steps = Steps {
        lib,
        b: Builder::new(first.forward.name.clone()),
        latest: Vec::new(),
        gradients: Vec::new(),
        losses: Vec::new(),
        moved: BTreeSet::new(),
    };
    let mut places = Vec::new();
    for (i, step) in plan.steps.iter().enumerate() {
        let place = if acts(i) { steps.step(step) } else { Vec::new() };
        places.push(place);
    }
    steps.averages(plan);
    let Steps { mut b, latest, gradients, losses, .. } = steps;
    let total = losses.iter().map(|(_, loss)| *loss).reduce(|sum, loss| b.add(sum, loss));
    b.output("loss", total.expect("steps: one of them acts"), OutputKind::Loss);
    for (name, loss) in losses {
        b.output(name, loss, OutputKind::Loss);
    }
    latest.into_iter().for_each(|(leaf, next)| becomes(&mut b, leaf, next));
    Made { graph: b.finish(), gradients, places }
}

impl Steps<'_> {
    /// One step behind what there is; gives the places of its forward graph's values.
    fn step(&mut self, step: &StepPlan) -> Vec<Value> {
        let forward = &step.forward;
        let places = self.inlined(step);
        let loss = places[loss_of(forward).index()];
        self.losses.push((format!("{}loss", step.prefix()), loss));

        let (leaves, values): (Vec<LeafId>, Vec<Value>) =
            weights(step).into_iter().map(|weight| self.weight(step, weight, &places)).unzip();
        let gradients: Vec<(LeafId, Value)> =
            leaves.iter().copied().zip(ad::gradient(&mut self.b, loss, &values)).collect();
        for (leaf, gradient) in &gradients {
            let name = gradient_of(step, &self.b.graph().leaves[*leaf].name);
            self.gradients.push((name, *gradient));
        }

        let scalars = Scalars::new(&mut self.b, &step.prefix());
        let given = clipped(self.lib, &mut self.b, step, &gradients);
        for ((leaf, w), gradient) in leaves.into_iter().zip(values).zip(given) {
            let all = update_of(self.lib, &mut self.b, step, scalars, (leaf, w), gradient);
            all.into_iter().for_each(|(leaf, next)| self.becomes(leaf, next));
            self.moved.insert(leaf);
        }
        for output in &forward.outputs {
            if let OutputKind::Update(leaf) = output.kind {
                let leaf = self.leaf(step, leaf);
                self.becomes(leaf, places[output.value.index()]);
            }
        }
        places
    }

    /// A weight of a step's forward graph: its leaf here, and what the graph reads of it.
    fn weight(&mut self, step: &StepPlan, weight: LeafId, places: &[Value]) -> (LeafId, Value) {
        let leaf = self.leaf(step, weight);
        let reads = |prim: &Prim| matches!(prim, Prim::Leaf(read) if *read == weight);
        let read = step.forward.nodes.iter().find(|(_, node)| reads(&node.prim));
        let value = match read {
            Some((value, _)) => places[value.index()],
            None => self.b.read(leaf),
        };
        (leaf, value)
    }

    /// Copies the nodes of a step's forward graph.
    fn inlined(&mut self, step: &StepPlan) -> Vec<Value> {
        let forward = &step.forward;
        let mut places: Vec<Value> = Vec::with_capacity(forward.nodes.len());
        let mut read: BTreeMap<LeafId, Value> = BTreeMap::new();
        for (id, _) in forward.leaves.iter() {
            self.leaf(step, id);
        }
        for (_, node) in forward.nodes.iter() {
            self.b.at(node.span);
            if let Prim::Leaf(leaf) = node.prim {
                let leaf = self.leaf(step, leaf);
                let value = *read.entry(leaf).or_insert_with(|| now(&mut self.b, &self.latest, leaf));
                places.push(value);
                continue;
            }
            let mut node = node.clone();
            node.prim.inputs_mut().iter_mut().for_each(|input| *input = places[input.index()]);
            if let Prim::Random { site } = &mut node.prim {
                *site = Arc::from(format!("{}{site}", step.prefix()));
            }
            places.push(self.b.copy(node));
        }
        places
    }

    /// The leaf here of one in a step's forward graph.
    fn leaf(&mut self, step: &StepPlan, leaf: LeafId) -> LeafId {
        let leaf = &step.forward.leaves[leaf];
        if self.b.find(&leaf.name).is_none() {
            self.b.at(leaf.span);
            self.b.leaf(leaf.name.clone(), leaf.ty.clone(), leaf.kind.clone());
        }
        self.b.find(&leaf.name).expect("steps: the leaf is there by now")
    }

    fn becomes(&mut self, leaf: LeafId, next: Value) {
        match self.latest.iter_mut().find(|(changed, _)| *changed == leaf) {
            Some((_, value)) => *value = next,
            None => self.latest.push((leaf, next)),
        }
    }

    /// Averages of the weights that moved, as the last step leaves them.
    fn averages(&mut self, plan: &TrainPlan) {
        let Some(decay) = plan.ema else { return };
        let count = Scalars::new(&mut self.b, "").step;
        for (leaf, next) in self.latest.clone() {
            if !self.moved.contains(&leaf) {
                continue;
            }
            assert!(matches!(self.b.graph().leaves[leaf].kind, LeafKind::Param(_)), "steps: weights move");
            let name = self.b.graph().leaves[leaf].name.clone();
            let moves = |step: &&StepPlan| super::trained_by(step).any(|weight| weight == &*name);
            let first = plan.steps.iter().filter(moves).map(|step| step.every).min();
            let first = first.expect("steps: what moved is moved by a step");
            let (average, next) = average::next(&mut self.b, decay, (count, first), leaf, next);
            self.becomes(average, next);
        }
    }
}

/// What a leaf holds by now. No gradient flows back through an update.
fn now(b: &mut Builder, latest: &[(LeafId, Value)], leaf: LeafId) -> Value {
    match latest.iter().find(|(changed, _)| *changed == leaf) {
        Some((_, value)) => b.stop(*value),
        None => b.read(leaf),
    }
}
