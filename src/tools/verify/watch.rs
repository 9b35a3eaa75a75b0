//! What is looked at: the output of every layer, the loss, and each weight's gradient and update.

use crate::base::{DType, Sources, Span};
use crate::graph::{Graph, LeafKind, Node, OutputKind, Prim, Value};
use crate::pipeline::{self, Tensor};
use crate::sema::Job;
use crate::sema::job::{LayerInfo, StepPlan, TrainPlan};
use serde::Serialize;

/// What a tensor is to the training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What a layer, or another part of the text, hands on.
    Value,
    Loss,
    Gradient,
    /// A weight after the step.
    Weight,
    /// A state of the optimizer after the step.
    State,
}

/// A tensor that is compared.
#[derive(Clone, Debug)]
pub struct Watched {
    pub role: Role,
    /// The output of the [`pipeline::watched_graph`] that holds it.
    pub output: String,
    /// For people: `fc1`, `Flatten`, `fc1.weight`.
    pub name: String,
    /// The user's text that it comes from.
    pub span: Span,
}

/// The outputs of layers, with the values of the forward graph that hold them: all `f32` tensors that one
/// stretch of the user's text hands to another. The losses are outputs already.
pub fn values(sources: &Sources, job: &Job, plan: &TrainPlan) -> Vec<(Watched, Tensor)> {
    let mut all = Vec::new();
    for (step, of) in plan.steps.iter().enumerate() {
        for (mut watched, value) in values_of(sources, job, of) {
            watched.output = format!("{}{}", of.prefix(), watched.output);
            if let Some(name) = &of.name {
                watched.name = format!("{} ({name})", watched.name);
            }
            all.push((watched, Tensor { step, value }));
        }
    }
    all
}

fn values_of(sources: &Sources, job: &Job, step: &StepPlan) -> Vec<(Watched, Value)> {
    let graph = &step.forward;
    let handed_on = handed_on(graph);
    let computed = computed(graph);
    let shown = |(v, node): &(Value, &Node)| {
        let inner = !matches!(node.prim, Prim::Leaf(_)) && node.ty.dtype == DType::F32;
        // Texts of the library have no folder: what goes on inside of its formulas is its own affair.
        let theirs = node.span != Span::default() && sources.get(node.span.file).folder.is_some();
        inner && theirs && computed[v.index()] && handed_on[v.index()]
    };
    let shown: Vec<(Value, &Node)> = graph.nodes.iter().filter(shown).collect();
    let layers: Vec<&LayerInfo> = job.models.iter().flat_map(|m| &m.layers).collect();
    let mut found = Vec::new();
    for (i, (value, node)) in shown.iter().enumerate() {
        let same = |(_, other): &&(Value, &Node)| other.span == node.span;
        let (nth, of) = (shown[..i].iter().filter(same).count(), shown.iter().filter(same).count());
        let here: Vec<&&LayerInfo> = layers.iter().filter(|l| l.span == node.span).collect();
        let name = match here.as_slice() {
            [] => numbered(excerpt(sources.slice(node.span)), nth, of),
            // Copies of a repeated layer share their text, and each hands on one value.
            all if all.len() == of => layer_name(all[nth]),
            [first, ..] => numbered(layer_name(first), nth, of),
        };
        let output = format!("value {i}");
        found.push((Watched { role: Role::Value, output, name, span: node.span }, *value));
    }
    found
}

/// Loss, gradients, weights and states of a step, each weight's together.
pub fn results(plan: &TrainPlan, step: &Graph) -> Vec<Watched> {
    let mut found = Vec::new();
    for output in &step.outputs {
        let name = output.name.to_string();
        match output.kind {
            OutputKind::Loss => {
                let span = step.nodes[output.value].span;
                found.push(Watched { role: Role::Loss, output: name.clone(), name, span });
            }
            OutputKind::Update(leaf) => {
                let leaf = &step.leaves[leaf];
                let span = leaf.span;
                let role = match leaf.kind {
                    LeafKind::Param(_) => {
                        let trains = |of: &&StepPlan| pipeline::trained_by(of).any(|weight| weight == name);
                        for of in plan.steps.iter().filter(trains) {
                            let output = pipeline::gradient_of(of, &name);
                            let name = format!("{}{name}", of.prefix());
                            found.push(Watched { role: Role::Gradient, output, name, span });
                        }
                        Role::Weight
                    }
                    LeafKind::State(_) | LeafKind::Batch | LeafKind::Scalar => Role::State,
                };
                found.push(Watched { role, output: name.clone(), name, span });
            }
            OutputKind::Metric | OutputKind::Value => {}
        }
    }
    found
}

/// Which values another stretch of the text reads, or an output.
fn handed_on(graph: &Graph) -> Vec<bool> {
    let mut found = vec![false; graph.nodes.len()];
    for (_, node) in graph.nodes.iter() {
        for input in node.prim.inputs() {
            found[input.index()] |= graph.nodes[*input].span != node.span;
        }
    }
    graph.outputs.iter().for_each(|o| found[o.value.index()] = o.kind != OutputKind::Loss);
    found
}

/// Which values depend on the batch or a weight; the others are numbers of the text.
fn computed(graph: &Graph) -> Vec<bool> {
    let mut found = vec![false; graph.nodes.len()];
    for (id, node) in graph.nodes.iter() {
        let is_leaf = matches!(node.prim, Prim::Leaf(_));
        found[id.index()] = is_leaf || node.prim.inputs().iter().any(|v| found[v.index()]);
    }
    found
}

fn layer_name(layer: &LayerInfo) -> String {
    if layer.path.is_empty() { excerpt(&layer.call) } else { layer.path.clone() }
}

fn numbered(name: String, nth: usize, of: usize) -> String {
    if of == 1 { name } else { format!("{name} #{}", nth + 1) }
}

/// A text on one line, not too long for a column.
fn excerpt(text: &str) -> String {
    const WIDEST: usize = 28;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}
