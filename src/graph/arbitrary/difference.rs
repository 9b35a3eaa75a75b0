//! Derivatives by central differences.

use super::decide::decisions;
use crate::base::Span;
use crate::graph::interp::{Inputs, run_all};
use crate::graph::ir::{Graph, Leaf, LeafKind, OutputKind, Prim, Value};
use crate::graph::scalar::ScalarOp;

/// A derivative found by nudging, and how far off it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    pub slope: f64,
    pub error: f64,
}

impl Difference {
    pub fn agrees(&self, claimed: f64) -> bool {
        (self.slope - claimed).abs() <= self.error
    }
}

/// The derivative of the graph's loss along `direction` (leaf, element, how much), from four
/// nudges: Richardson's extrapolation, error of fourth order. What `stop` stops stays as it
/// is. `None` if a kink lies between the nudges, where a difference would mean nothing.
pub fn difference(graph: &Graph, inputs: &Inputs, direction: &[(&str, usize, f64)]) -> Option<Difference> {
    const STEP: f64 = 1e-4;
    let (graph, inputs) = &hold_stops(graph, inputs);
    let loss = graph.outputs.iter().find(|o| o.kind == OutputKind::Loss)?.value;
    let (here, branches) = nudged(graph, inputs, direction, 0.0, loss);
    let at = |step: f64| {
        let (value, taken) = nudged(graph, inputs, direction, step, loss);
        (taken == branches).then_some(value)
    };
    let near = (at(STEP)? - at(-STEP)?) / (2.0 * STEP);
    let far = (at(2.0 * STEP)? - at(-2.0 * STEP)?) / (4.0 * STEP);
    let slope = (4.0 * near - far) / 3.0;
    let error = 1e-6 * slope.abs().max(1.0) + (near - far).abs() + 1e-11 * here.abs() / STEP;
    Some(Difference { slope, error })
}

/// The graph with each `stop` replaced by a leaf of the number that it has now.
fn hold_stops(graph: &Graph, inputs: &Inputs) -> (Graph, Inputs) {
    let (mut held, mut held_inputs) = (graph.clone(), inputs.clone());
    let stops = graph.nodes.iter().filter(|(_, n)| matches!(n.prim, Prim::Map { op: ScalarOp::Stop, .. }));
    let stops: Vec<Value> = stops.map(|(v, _)| v).collect();
    if stops.is_empty() {
        return (held, held_inputs);
    }
    let values = run_all(graph, inputs);
    for v in stops {
        let name = format!("stop {v}");
        let leaf = Leaf {
            name: name.as_str().into(),
            ty: graph.ty(v).clone(),
            kind: LeafKind::Batch,
            span: Span::default(),
        };
        held.nodes[v].prim = Prim::Leaf(held.leaves.push(leaf));
        held_inputs.leaves.insert(name, values[v.index()].clone());
    }
    (held, held_inputs)
}

fn nudged(
    graph: &Graph,
    inputs: &Inputs,
    direction: &[(&str, usize, f64)],
    step: f64,
    loss: Value,
) -> (f64, Vec<i64>) {
    let mut inputs = inputs.clone();
    for &(leaf, element, amount) in direction {
        let tensor = inputs.leaves.get_mut(leaf).expect("difference: a leaf of the graph");
        tensor.data[element] += step * amount;
    }
    let values = run_all(graph, &inputs);
    (values[loss.index()].data[0], decisions(graph, &values))
}
