//! A train section through every stage: the one place that knows their order.
//!
//! forward graph -> + gradients and updates -> rewritten -> sizes bound ->
//! loops. Each stage's text is here too, for `mlc dump` and snapshots; so what
//! is shown is what runs.

mod average;
mod gather;

pub use average::{average_of, eval_graph};

use crate::ad;
use crate::base::Bindings;
use crate::graph::{self, Builder, Graph, LeafId, LeafKind, Output, OutputKind, Value};
use crate::loops::{self, Fusion, Program};
use crate::ops::Library;
use crate::ops::optimizer::{Rule, Scalars};
use crate::opt::{self, PassReport};
use crate::sema::job::TrainPlan;

/// What a step runs. Without `accumulate` it is one graph on one batch; with it, a graph for each of several
/// batches, and then one that updates.
#[derive(Clone, Debug)]
pub struct Step {
    /// On a batch: its loss, and the update of all weights; or its gradients, added to those gathered so far.
    pub batch: Graph,
    /// Without a batch: the update by the mean over all rows, of which there are `rows`, a scalar leaf. What is
    /// gathered starts at 0 again.
    pub update: Option<Graph>,
}

/// The graphs of a training step, as [`step_graph`] where each batch is a step.
///
/// # Panics
/// As [`step_graph`].
pub fn step(lib: &Library, plan: &TrainPlan) -> Step {
    match plan.accumulate {
        1 => Step { batch: step_graph(lib, plan), update: None },
        _ => gather::step(lib, plan),
    }
}

/// The training step on one batch: the forward graph, the gradient of its loss for every
/// weight, clipped if the plan says so, and the optimizer's update of each, as outputs.
///
/// # Panics
/// If the plan's forward graph has no loss, or its optimizer is not in the registry.
pub fn step_graph(lib: &Library, plan: &TrainPlan) -> Graph {
    step_and_gradients(lib, plan).0
}

/// The training step with more outputs behind its own, in this order: tensors of the forward graph, and the
/// gradient of every weight as [`gradient_of`] names it.
///
/// # Panics
/// As [`step_graph`].
pub fn watched_graph(lib: &Library, plan: &TrainPlan, watched: &[(String, Value)]) -> Graph {
    let (mut graph, gradients) = step_and_gradients(lib, plan);
    let mut watch = |name: String, value| {
        graph.outputs.push(Output { name: name.into(), value, kind: OutputKind::Value });
    };
    watched.iter().for_each(|(name, value)| watch(name.clone(), *value));
    for (weight, gradient) in gradients {
        watch(gradient_of(&plan.forward.leaves[weight].name), gradient);
    }
    graph
}

/// The output of a [`watched_graph`] that holds the gradient of a weight.
pub fn gradient_of(weight: &str) -> String {
    format!("gradient of {weight}")
}

fn step_and_gradients(lib: &Library, plan: &TrainPlan) -> (Graph, Vec<(LeafId, Value)>) {
    let mut b = Builder::resume(plan.forward.clone());
    let gradients = gradients(&mut b, plan);
    updates(lib, &mut b, plan, &gradients);
    (b.finish(), gradients)
}

/// The gradient of the loss for each weight that is trained.
fn gradients(b: &mut Builder, plan: &TrainPlan) -> Vec<(LeafId, Value)> {
    let loss = plan.forward.outputs.iter().find(|o| o.kind == OutputKind::Loss);
    let loss = loss.expect("pipeline: a forward graph has a loss").value;
    let weights: Vec<LeafId> = weights(plan);
    let values: Vec<_> = weights.iter().map(|w| b.read(*w)).collect();
    weights.into_iter().zip(ad::gradient(b, loss, &values)).collect()
}

/// The update of each weight by its gradient, and of all that goes along with it.
fn updates(lib: &Library, b: &mut Builder, plan: &TrainPlan, gradients: &[(LeafId, Value)]) {
    let scalars = Scalars::new(b, "");
    for (&(weight, _), gradient) in gradients.iter().zip(clipped(lib, b, plan, gradients)) {
        let (rule, rates) = rule(lib, b, plan, weight, scalars);
        for (leaf, next) in rule.update(lib, b, rates, weight, gradient) {
            let next = match &plan.clip {
                Some(clip) if leaf == weight => clip.weight(lib, b, next),
                Some(_) | None => next,
            };
            if let (Some(decay), true) = (plan.ema, leaf == weight) {
                average::update(b, decay, scalars.step, weight, next);
            }
            let name = b.graph().leaves[leaf].name.clone();
            b.output(name, next, OutputKind::Update(leaf));
        }
    }
}

/// The gradients as the optimizer is given them.
fn clipped(lib: &Library, b: &mut Builder, plan: &TrainPlan, gradients: &[(LeafId, Value)]) -> Vec<Value> {
    let values: Vec<Value> = gradients.iter().map(|(_, gradient)| *gradient).collect();
    match &plan.clip {
        Some(clip) => clip.gradients(lib, b, &values),
        None => values,
    }
}

/// The leaves that training changes, in the order of the graph.
fn weights(plan: &TrainPlan) -> Vec<LeafId> {
    let frozen = |name: &str| plan.frozen.iter().any(|f| f == name);
    let leaves = plan.forward.leaves.iter();
    leaves
        .filter(|(_, l)| matches!(l.kind, LeafKind::Param(_)) && !frozen(&l.name))
        .map(|(id, _)| id)
        .collect()
}

/// The optimizer of one weight, whose group may have settings of its own.
fn rule(
    lib: &Library,
    b: &mut Builder,
    plan: &TrainPlan,
    weight: LeafId,
    scalars: Scalars,
) -> (Rule, Scalars) {
    let name = b.graph().leaves[weight].name.clone();
    let mut settings = plan.optimizer.settings.clone();
    for group in plan.groups.iter().filter(|g| g.weights.iter().any(|w| **w == *name)) {
        for (setting, x) in &group.settings {
            let at = settings.iter().position(|(n, _)| n == setting);
            settings[at.expect("pipeline: a group has settings of its optimizer")].1 = *x;
        }
    }
    let rule = Rule::new(lib, &plan.optimizer.name, &settings);
    let (own, usual) = (settings[0].1, plan.optimizer.settings[0].1);
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
        let Step { batch, update } = step(lib, plan);
        let graphs = std::iter::once(batch).chain(update);
        graphs.map(text).collect::<Vec<_>>().join("\n")
    };
    match stage {
        Stage::Graph => format!("{}\n{}", graph::print(&plan.forward), graph::print(&plan.eval)),
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
