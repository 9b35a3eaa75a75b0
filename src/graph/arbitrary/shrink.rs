//! Makes a failing graph small.

use crate::base::{DType, Span};
use crate::graph::ir::{Graph, Init, Leaf, LeafId, LeafKind, Node, OutputKind, Prim, Value};

/// The smallest graph found that still fails: outputs dropped, nodes replaced by an operand
/// or a fresh leaf of their type, one at a time, as long as `fails` says so. What no output
/// needs is gone at the end.
pub fn shrink(graph: &Graph, fails: impl Fn(&Graph) -> bool) -> Graph {
    let mut best = clean(graph.clone());
    if !fails(&best) {
        return graph.clone();
    }
    loop {
        let smaller = candidates(&best).find(|candidate| fails(candidate));
        match smaller {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}

/// What is one step smaller than `graph`, the largest steps first.
fn candidates(graph: &Graph) -> impl Iterator<Item = Graph> + '_ {
    let outputs = (0..graph.outputs.len()).filter_map(|i| {
        let mut smaller = graph.clone();
        let kind = smaller.outputs.remove(i).kind;
        (kind != OutputKind::Loss).then(|| clean(smaller))
    });
    let nodes = graph.nodes.ids().rev().flat_map(|v| replacements(graph, v));
    outputs.chain(nodes)
}

/// The graph with `v` replaced by something simpler of its type.
fn replacements(graph: &Graph, v: Value) -> Vec<Graph> {
    let node = &graph.nodes[v];
    if matches!(node.prim, Prim::Leaf(_) | Prim::Const(_)) {
        return Vec::new();
    }
    let by_operand = node.prim.inputs().iter().filter(|&&x| graph.ty(x) == &node.ty).map(|&x| {
        let mut smaller = graph.clone();
        let rename = |y: &mut Value| {
            if *y == v {
                *y = x;
            }
        };
        smaller.nodes.ids().for_each(|id| smaller.nodes[id].prim.inputs_mut().iter_mut().for_each(rename));
        smaller.outputs.iter_mut().for_each(|o| rename(&mut o.value));
        clean(smaller)
    });
    let mut all: Vec<Graph> = by_operand.collect();
    if node.prim.inputs().is_empty() {
        return all;
    }
    let mut cut = graph.clone();
    let kind =
        if node.ty.dtype == DType::F32 { LeafKind::Param(Init::Constant(0.0)) } else { LeafKind::Batch };
    let name = format!("cut{}", graph.leaves.len()).into();
    let leaf = cut.leaves.push(Leaf { name, ty: node.ty.clone(), kind, span: Span::default() });
    cut.nodes[v].prim = Prim::Leaf(leaf);
    all.push(clean(cut));
    all
}

/// Without nodes and leaves that no output needs.
fn clean(graph: Graph) -> Graph {
    let mut live = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|o| live[o.value.index()] = true);
    for (v, node) in graph.nodes.iter().rev() {
        if live[v.index()] {
            node.prim.inputs().iter().for_each(|x| live[x.index()] = true);
        }
    }
    let mut small = Graph::new(graph.name.clone());
    let mut leaves: Vec<Option<LeafId>> = vec![None; graph.leaves.len()];
    let mut place: Vec<Option<Value>> = vec![None; graph.nodes.len()];
    let at =
        |place: &[Option<Value>], v: Value| place[v.index()].expect("shrink: a live node has live inputs");
    for (v, node) in graph.nodes.iter().filter(|(v, _)| live[v.index()]) {
        let mut node: Node = node.clone();
        node.prim.inputs_mut().iter_mut().for_each(|x| *x = at(&place, *x));
        if let Prim::Leaf(leaf) = &mut node.prim {
            let new = leaves[leaf.index()].unwrap_or_else(|| small.leaves.push(graph.leaves[*leaf].clone()));
            leaves[leaf.index()] = Some(new);
            *leaf = new;
        }
        place[v.index()] = Some(small.nodes.push(node));
    }
    for output in &graph.outputs {
        let mut output = output.clone();
        output.value = at(&place, output.value);
        if let OutputKind::Update(leaf) = &mut output.kind {
            let new = leaves[leaf.index()].unwrap_or_else(|| small.leaves.push(graph.leaves[*leaf].clone()));
            leaves[leaf.index()] = Some(new);
            *leaf = new;
        }
        small.outputs.push(output);
    }
    small
}
