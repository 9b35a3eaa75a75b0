//! Rewrites what lowers badly as it stands.
//!
//! - A pad that puts `g - 1` values between neighbours is affine once the
//!   padded axis counts in whole periods of `g`, starting on one. So a pad that
//!   does not is rounded up, and sliced back.
//! - `x > c` is asked of `max(x, c)` where that is computed: exactly the same,
//!   and the gradient of a rectifier then keeps its output alone in memory.

use super::known;
use crate::base::{Dim, Shape, TensorType};
use crate::graph::{Graph, Node, Output, Prim, ScalarOp, Value};
use std::collections::BTreeMap;

pub fn run(graph: &Graph) -> Graph {
    let mut out = Graph::new(graph.name.clone());
    out.leaves = graph.leaves.clone();
    let mut renamed: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    let mut clamps: BTreeMap<[Value; 2], Value> = BTreeMap::new();
    for (_, node) in graph.nodes.iter() {
        let mut node = node.clone();
        for input in node.prim.inputs_mut() {
            *input = renamed[input.index()];
        }
        if let Prim::Map { op: ScalarOp::Gt, inputs } = &mut node.prim {
            let clamped = clamps.get(&[inputs[0], inputs[1]]);
            inputs[0] = clamped.copied().unwrap_or(inputs[0]);
        }
        let clamp = if let Prim::Map { op: ScalarOp::Max, inputs } = &node.prim {
            Some([inputs[0], inputs[1]])
        } else {
            None
        };
        let value = match round_up(&node) {
            None => out.nodes.push(node),
            Some((padded, start)) => {
                let rank = start.len();
                let input = out.nodes.push(padded);
                out.nodes.push(Node { prim: Prim::Slice { input, start, step: vec![1; rank] }, ..node })
            }
        };
        if let Some([x, bound]) = clamp.filter(|[_, bound]| out.nodes[*bound].ty.rank() == 0) {
            clamps.insert([x, bound], value);
        }
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
    let ty = TensorType { dtype: node.ty.dtype, shape };
    grown.then_some((Node { prim, ty, span: node.span }, start))
}
