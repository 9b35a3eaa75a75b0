//! A train section through every stage: the one place that knows their order.
//!
//! forward graph -> + gradients and updates -> rewritten -> sizes bound ->
//! loops. Each stage's text is here too, for `mlc dump` and snapshots; so what
//! is shown is what runs.

mod average;
mod gather;
mod steps;

pub use average::{average_of, eval_graph};

use crate::ad;
use crate::base::Bindings;
use crate::graph::{self, Builder, Graph, LeafId, LeafKind, Output, OutputKind, Value};
use crate::loops::{self, Fusion, Program};
use crate::ops::Library;
use crate::ops::optimizer::{Rule, Scalars};
use crate::opt::{self, PassReport};
use crate::sema::job::{StepPlan, TrainPlan};

/// What a turn of a training step runs. Without `accumulate` it is one graph on one batch, for all steps; with it,
/// each step has a graph for each of several batches, and then one that updates.
#[derive(Clone, Debug)]
pub struct Step {
    /// On a batch: its loss, and the update of all weights; or its gradients, added to those gathered so far.
    pub batch: Graph,
    /// Without a batch: the update by the mean over all rows, of which there are `rows`, a scalar leaf. What is
    /// gathered starts at 0 again.
    pub update: Option<Graph>,
}

/// The turns of a training step in which all act, in order: one as [`step_graph`] where each batch is a step, and
/// one for each step of the plan where batches are gathered.
///
/// # Panics
/// As [`step_graph`].
pub fn turns(lib: &Library, plan: &TrainPlan) -> Vec<Step> {
    if plan.accumulate == 1 {
        return vec![Step { batch: step_graph(lib, plan), update: None }];
    }
    let turn = |at: usize| Step {
        batch: gathering_graph(&plan.steps[at]),
        update: Some(update_graph(lib, plan, at, &|_| true)),
    };
    (0..plan.steps.len()).map(turn).collect()
}

/// With `accumulate`: what one step does on a batch, as [`Step::batch`].
///
/// # Panics
/// As [`step_graph`].
pub fn gathering_graph(step: &StepPlan) -> Graph {
    gather::batch(step)
}

/// With `accumulate`: the update of the step in place `at` when its batches are through, as [`Step::update`], in a
/// training step in which those act that `acts` chooses.
///
/// # Panics
/// As [`step_graph`].
pub fn update_graph(lib: &Library, plan: &TrainPlan, at: usize, acts: &dyn Fn(usize) -> bool) -> Graph {
    gather::update(lib, plan, at, acts)
}

/// The training step on one batch: the forward graph, the gradient of its loss for every weight, clipped if the plan
/// says so, and the optimizer's update of each, as outputs. Several steps come one behind the other: each sees
/// the weights as the one before it leaves them.
///
/// # Panics
/// If the plan's forward graph has no loss, or its optimizer is not in the registry.
pub fn step_graph(lib: &Library, plan: &TrainPlan) -> Graph {
    step_and_gradients(lib, plan, &|_| true).graph
}

/// The same with those of several steps alone that `acts` chooses, by their place.
///
/// # Panics
/// As [`step_graph`]; if it chooses none.
pub fn steps_graph(lib: &Library, plan: &TrainPlan, acts: &dyn Fn(usize) -> bool) -> Graph {
    step_and_gradients(lib, plan, acts).graph
}

/// A tensor of a forward graph: the place of its step, and its value there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    pub step: usize,
    pub value: Value,
}

/// The training step with more outputs behind its own, in this order: tensors of forward graphs, and the
/// gradient of every weight as [`gradient_of`] names it.
///
/// # Panics
/// As [`step_graph`].
pub fn watched_graph(lib: &Library, plan: &TrainPlan, watched: &[(String, Tensor)]) -> Graph {
    let Made { mut graph, gradients, places } = step_and_gradients(lib, plan, &|_| true);
    let mut watch = |name: String, value| {
        graph.outputs.push(Output { name: name.into(), value, kind: OutputKind::Value });
    };
    for (name, tensor) in watched {
        let place = places.get(tensor.step).map_or(tensor.value, |of| of[tensor.value.index()]);
        watch(name.clone(), place);
    }
    for (name, gradient) in gradients {
        watch(name, gradient);
    }
    graph
}

/// The output of a [`watched_graph`] that holds the gradient of a weight in a step.
pub fn gradient_of(step: &StepPlan, weight: &str) -> String {
    format!("gradient of {}{weight}", step.prefix())
}

/// The weights that a step trains, by name.
pub fn trained_by(step: &StepPlan) -> impl Iterator<Item = &str> {
    weights(step).into_iter().map(|weight| &*step.forward.leaves[weight].name)
}

/// A training step, and where its parts are.
struct Made {
    graph: Graph,
    /// By the name of the output that holds each.
    gradients: Vec<(String, Value)>,
    /// By step, where the values of its forward graph are; empty if they stay where they were.
    places: Vec<Vec<Value>>,
}

fn step_and_gradients(lib: &Library, plan: &TrainPlan, acts: &dyn Fn(usize) -> bool) -> Made {
    let [step] = plan.steps.as_slice() else { return steps::made(lib, plan, acts) };
    let mut b = Builder::resume(step.forward.clone());
    let gradients = gradients(&mut b, step);
    for (leaf, next) in updates(lib, &mut b, plan, step, &gradients) {
        becomes(&mut b, leaf, next);
    }
    let named = |(weight, gradient): &(LeafId, Value)| {
        (gradient_of(step, &step.forward.leaves[*weight].name), *gradient)
    };
    let gradients = gradients.iter().map(named).collect();
    Made { graph: b.finish(), gradients, places: Vec::new() }
}

/// Has a weight or state hold `next` after the step.
fn becomes(b: &mut Builder, leaf: LeafId, next: Value) {
    let name = b.graph().leaves[leaf].name.clone();
    b.output(name, next, OutputKind::Update(leaf));
}

/// The loss of a forward graph.
fn loss_of(forward: &Graph) -> Value {
    let loss = forward.outputs.iter().find(|o| o.kind == OutputKind::Loss);
    loss.expect("pipeline: a forward graph has a loss").value
}

/// The gradient of the loss for each weight that is trained.
fn gradients(b: &mut Builder, step: &StepPlan) -> Vec<(LeafId, Value)> {
    let weights: Vec<LeafId> = weights(step);
    let values: Vec<_> = weights.iter().map(|w| b.read(*w)).collect();
    weights.into_iter().zip(ad::gradient(b, loss_of(&step.forward), &values)).collect()
}

/// The next value of each weight, by its gradient, and of all that goes along with it.
fn updates(
    lib: &Library,
    b: &mut Builder,
    plan: &TrainPlan,
    step: &StepPlan,
    gradients: &[(LeafId, Value)],
) -> Vec<(LeafId, Value)> {
    let scalars = Scalars::new(b, &step.prefix());
    let mut all = Vec::new();
    for (&(weight, _), gradient) in gradients.iter().zip(clipped(lib, b, step, gradients)) {
        let w = b.read(weight);
        for (leaf, next) in update_of(lib, b, step, scalars, (weight, w), gradient) {
            if let (Some(decay), true) = (plan.ema, leaf == weight) {
                all.push(average::next(b, decay, (scalars.step, 1), weight, next));
            }
            all.push((leaf, next));
        }
    }
    all
}

/// The next value of one weight that holds `w` by now, and of its states.
fn update_of(
    lib: &Library,
    b: &mut Builder,
    step: &StepPlan,
    scalars: Scalars,
    (weight, w): (LeafId, Value),
    gradient: Value,
) -> Vec<(LeafId, Value)> {
    let (rule, rates) = rule(lib, b, step, weight, scalars);
    let mut all = rule.update_from(lib, b, rates, (weight, w), gradient);
    for (leaf, next) in &mut all {
        if let (Some(clip), true) = (&step.clip, *leaf == weight) {
            *next = clip.weight(lib, b, *next);
        }
    }
    all
}

/// The gradients as the optimizer is given them.
fn clipped(lib: &Library, b: &mut Builder, step: &StepPlan, gradients: &[(LeafId, Value)]) -> Vec<Value> {
    let values: Vec<Value> = gradients.iter().map(|(_, gradient)| *gradient).collect();
    match &step.clip {
        Some(clip) => clip.gradients(lib, b, &values),
        None => values,
    }
}

/// The leaves that a step changes, in the order of the graph.
fn weights(step: &StepPlan) -> Vec<LeafId> {
    let frozen = |name: &str| step.frozen.iter().any(|f| f == name);
    let leaves = step.forward.leaves.iter();
    leaves
        .filter(|(_, l)| matches!(l.kind, LeafKind::Param(_)) && !frozen(&l.name))
        .map(|(id, _)| id)
        .collect()
}

/// The optimizer of one weight, whose group may have settings of its own.
fn rule(
    lib: &Library,
    b: &mut Builder,
    step: &StepPlan,
    weight: LeafId,
    scalars: Scalars,
) -> (Rule, Scalars) {
    let name = b.graph().leaves[weight].name.clone();
    let mut settings = step.optimizer.settings.clone();
    for group in step.groups.iter().filter(|g| g.weights.iter().any(|w| **w == *name)) {
        for (setting, x) in &group.settings {
            let at = settings.iter().position(|(n, _)| n == setting);
            settings[at.expect("pipeline: a group has settings of its optimizer")].1 = *x;
        }
    }
    let rule = Rule::new(lib, &step.optimizer.name, &settings).of_step(&step.prefix());
    let (own, usual) = (settings[0].1, step.optimizer.settings[0].1);
    if own == usual {
        return (rule, scalars);
    }
    // The rate of a step is known to the session alone; a group's follows it.
    let factor = b.constant(own / usual);
    (rule, Scalars { lr: b.mul(scalars.lr, factor), ..scalars })
}

/// Rewrites a graph to what is lowered, symbols still in it.
pub fn rewrite(mut graph: Graph) -> (Graph, Vec<PassReport>) {
    let reports = opt::run(&mut graph);
    (graph, reports)
}

/// Binds the symbols, rewrites once more (sizes are numbers now), and lowers for a backend that
/// takes such fusion.
///
/// # Panics
/// If a symbol is left.
pub fn lower(graph: &Graph, bindings: &Bindings, fusion: &Fusion) -> Program {
    let mut bound = graph.bind(bindings);
    opt::run(&mut bound);
    let mut program = loops::lower(&bound, fusion);
    let used = graph.syms();
    program.bindings =
        bindings.iter().filter(|(s, _)| used.contains(s)).map(|(s, n)| (s.clone(), *n)).collect();
    program
}

/// What `mlc dump` shows of a train section, up to the loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// As written: training mode, then evaluation mode.
    Graph,
    /// With gradients and updates.
    Grad,
    /// Rewritten.
    Opt,
    /// As loop nests, with every fusion's reason.
    Loops,
    /// What each rewrite did.
    Passes,
}

/// The text of a stage. `bindings` and `fusion` are only read by [`Stage::Loops`].
pub fn text(lib: &Library, plan: &TrainPlan, bindings: &Bindings, fusion: &Fusion, stage: Stage) -> String {
    let each = |text: &dyn Fn(Graph) -> String| {
        let graphs =
            turns(lib, plan).into_iter().flat_map(|turn| std::iter::once(turn.batch).chain(turn.update));
        graphs.map(text).collect::<Vec<_>>().join("\n")
    };
    match stage {
        Stage::Graph => plan.graphs().map(graph::print).collect::<Vec<_>>().join("\n"),
        Stage::Grad => each(&|graph| graph::print(&graph)),
        Stage::Opt => each(&|graph| graph::print(&rewrite(graph).0)),
        Stage::Loops => each(&|graph| loops::print(&lower(&rewrite(graph).0, bindings, fusion))),
        Stage::Passes => each(&|graph| passes(&rewrite(graph).1)),
    }
}

fn passes(reports: &[PassReport]) -> String {
    let rows = reports
        .iter()
        .map(|r| format!("{:<10} {:>2} rounds  {:>+5} nodes   {}\n", r.name, r.rounds, r.growth, r.why));
    rows.collect()
}
