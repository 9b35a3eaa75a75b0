//! Removes nodes that no output needs.
//!
//! Keeps the order of the rest, and all leaves: a weight that a loss does not read is still
//! a weight. Never looks inside a node, so it is right for primitives that do not exist yet.

use crate::graph::{Graph, Node, Value};

pub fn run(graph: &mut Graph) -> bool {
    let live = live(graph);
    if live.iter().all(|&l| l) {
        return false;
    }
    let mut place: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    let mut kept = 0;
    for &is_live in &live {
        place.push(Value::new(kept));
        kept += usize::from(is_live);
    }
    let rename = |v: &mut Value| *v = place[v.index()];
    let nodes = graph.nodes.iter().filter(|(v, _)| live[v.index()]).map(|(_, node)| {
        let mut node: Node = node.clone();
        node.prim.inputs_mut().iter_mut().for_each(rename);
        node
    });
    graph.nodes = nodes.collect();
    graph.outputs.iter_mut().for_each(|o| rename(&mut o.value));
    true
}

/// Which nodes an output needs.
pub fn live(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|o| live[o.value.index()] = true);
    for (value, node) in graph.nodes.iter().rev() {
        if live[value.index()] {
            node.prim.inputs().iter().for_each(|v| live[v.index()] = true);
        }
    }
    live
}
