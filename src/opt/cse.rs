//! Makes equal nodes one: the same primitive of the same inputs with the same type.
//!
//! Exact: every primitive is a pure function, random numbers included (one site is one
//! stream). The first of equal nodes stays.

use crate::graph::{Graph, Node, Prim, Value};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

pub fn run(graph: &mut Graph) -> bool {
    // Looked up, never walked: its order does not matter.
    let mut seen: HashMap<u64, Vec<Value>> = HashMap::with_capacity(graph.nodes.len());
    let mut place: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    let mut changed = false;
    for value in graph.nodes.ids() {
        let node = &mut graph.nodes[value];
        node.prim.inputs_mut().iter_mut().for_each(|v| *v = place[v.index()]);
        let candidates = seen.entry(digest(node)).or_default();
        let node = &graph.nodes[value];
        let twin = candidates.iter().copied().find(|&v| same(&graph.nodes[v], node));
        // The twin's users may move to it already; dce removes this one.
        changed |= twin.is_some();
        if twin.is_none() {
            candidates.push(value);
        }
        place.push(twin.unwrap_or(value));
    }
    graph.outputs.iter_mut().for_each(|o| o.value = place[o.value.index()]);
    changed && super::dce::run(graph)
}

fn same(a: &Node, b: &Node) -> bool {
    a.ty == b.ty && a.prim == b.prim && bits(&a.prim) == bits(&b.prim)
}

/// The number inside, by bits: 0 and -0 are equal but not the same.
fn bits(prim: &Prim) -> u64 {
    match prim {
        Prim::Const(x) | Prim::Pad { value: x, .. } => x.to_bits(),
        Prim::Leaf(_)
        | Prim::Size(_)
        | Prim::Iota { .. }
        | Prim::Map { .. }
        | Prim::Reduce { .. }
        | Prim::Contract { .. }
        | Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Window { .. }
        | Prim::Gather { .. }
        | Prim::Scatter { .. }
        | Prim::Random { .. }
        | Prim::Scan { .. } => 0,
    }
}

/// Equal nodes have equal digests; what is left out only makes some others equal too.
fn digest(node: &Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    std::mem::discriminant(&node.prim).hash(&mut hasher);
    node.prim.inputs().hash(&mut hasher);
    bits(&node.prim).hash(&mut hasher);
    node.ty.dtype.hash(&mut hasher);
    match &node.prim {
        Prim::Leaf(leaf) => leaf.hash(&mut hasher),
        Prim::Size(dim) => dim.hash(&mut hasher),
        Prim::Map { op, .. } => op.hash(&mut hasher),
        Prim::Contract { spec, .. } => spec.hash(&mut hasher),
        Prim::Random { site } => site.hash(&mut hasher),
        Prim::Const(_)
        | Prim::Iota { .. }
        | Prim::Reduce { .. }
        | Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. }
        | Prim::Gather { .. }
        | Prim::Scatter { .. }
        | Prim::Scan { .. } => {}
    }
    hasher.finish()
}
