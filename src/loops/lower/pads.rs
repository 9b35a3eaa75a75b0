//! Makes pads between neighbours sayable with affine maps.
//!
//! A pad that puts `g - 1` values between neighbours is affine once the
//! padded axis counts in whole periods of `g`, starting on one. So a pad that
//! does not is rounded up, and sliced back.

use super::known;
use crate::base::{Dim, Shape, TensorType};
use crate::graph::{Graph, Node, Output, Prim, Value};

pub fn whole_periods(graph: &Graph) -> Graph {
    let mut out = Graph::new(graph.name.clone());
    out.leaves = graph.leaves.clone();
    let mut renamed: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    for (_, node) in graph.nodes.iter() {
        let mut node = node.clone();
        for input in node.prim.inputs_mut() {
            *input = renamed[input.index()];
        }
        let value = match round_up(&node) {
            None => out.nodes.push(node),
            Some((padded, start)) => {
                let rank = start.len();
                let input = out.nodes.push(padded);
                out.nodes.push(Node { prim: Prim::Slice { input, start, step: vec![1; rank] }, ..node })
            }
        };
        renamed.push(value);
    }
    let rename = |o: &Output| Output { value: renamed[o.value.index()], ..o.clone() };
    out.outputs = graph.outputs.iter().map(rename).collect();
    out
}

/// The larger pad and where the wanted part starts, if the pad is not whole.
fn round_up(node: &Node) -> Option<(Node, Vec<Dim>)> {
    let Prim::Pad { input, lo, hi, inner, value } = &node.prim else { return None };
    let (mut lo, mut hi, mut start) = (lo.clone(), hi.clone(), Vec::new());
    let mut sizes: Vec<i64> = node.ty.shape.iter().map(known).collect();
    for axis in 0..sizes.len() {
        let period = inner[axis] + 1;
        let before = (-known(&lo[axis])).rem_euclid(period);
        let after = (-(sizes[axis] + before)).rem_euclid(period);
        lo[axis] = lo[axis].clone() + Dim::from(before);
        hi[axis] = hi[axis].clone() + Dim::from(after);
        sizes[axis] += before + after;
        start.push(Dim::from(before));
    }
    let shape: Shape = sizes.into_iter().collect();
    let prim = Prim::Pad { input: *input, lo, hi, inner: inner.clone(), value: *value };
    let grown = shape != node.ty.shape;
    grown.then(|| (Node { prim, ty: TensorType { dtype: node.ty.dtype, shape }, span: node.span }, start))
}
