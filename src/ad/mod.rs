//! Reverse-mode differentiation, graph to graph.
//!
//! Walks the nodes that lead from `wrt` to the loss backwards, once, and appends to the
//! same graph what each of them hands to its inputs. The set of primitives is closed: the
//! appended nodes can be differentiated again. Contributions to one value are added in the
//! reverse order of its users, so the same graph always gives the same sums. Nothing flows
//! through `i32`, `stop`, comparisons and random numbers. Appended nodes bear the span of
//! the node that they come from.

mod rules;
mod scan;
mod windows;

use crate::base::{DType, Span};
use crate::graph::{Builder, Prim, ScalarOp, Value};
use std::collections::BTreeMap;

/// The gradient of the scalar `loss` for each of `wrt` (leaves or inner values), in its
/// shape; zeros where nothing flows.
///
/// # Panics
/// If the loss is not an `f32` scalar.
pub fn gradient(b: &mut Builder, loss: Value, wrt: &[Value]) -> Vec<Value> {
    assert!(b.shape(loss).rank() == 0 && b.dtype(loss) == DType::F32, "ad: a loss is f32[]");
    let flows = flowing(b, loss, wrt);
    let mut adjoints: Vec<Option<Value>> = vec![None; loss.index() + 1];
    adjoints[loss.index()] = Some(b.constant(1.0));
    // Of a scan: what flows into each slice of its results.
    let mut parts: BTreeMap<Value, Vec<_>> = BTreeMap::new();
    for index in (0..=loss.index()).rev() {
        let y = Value::new(index);
        let read = parts.remove(&y);
        if !flows[index] || (adjoints[index].is_none() && read.is_none()) {
            continue;
        }
        let node = b.graph().nodes[y].clone();
        b.at(node.span);
        let wanted: Vec<bool> = node.prim.inputs().iter().map(|v| flows[v.index()]).collect();
        let shares = match (&node.prim, read, adjoints[index]) {
            (Prim::Scan { .. }, Some(read), None) => {
                let dys = scan::results(b, y, read);
                scan::pull(b, y, &dys, &wanted)
            }
            (Prim::Slice { input, start, .. }, _, Some(dy)) if is_scan(b, *input) => {
                parts.entry(*input).or_default().push((start[0].clone(), node.ty.shape.clone(), dy));
                continue;
            }
            (prim, None, Some(dy)) => rules::pull(b, prim, y, dy, &wanted),
            (prim, _, _) => unreachable!("ad: a scan is read by slices, {prim:?}"),
        };
        for ((input, share), wanted) in node.prim.inputs().iter().zip(shares).zip(wanted) {
            let Some(share) = share.filter(|_| wanted) else { continue };
            let sum = adjoints[input.index()].map_or(share, |sum| b.add(sum, share));
            adjoints[input.index()] = Some(sum);
        }
    }
    b.at(Span::default());
    wrt.iter().map(|&v| adjoints.get(v.index()).copied().flatten().unwrap_or_else(|| zeros(b, v))).collect()
}

fn is_scan(b: &Builder, v: Value) -> bool {
    matches!(b.graph().nodes[v].prim, Prim::Scan { .. })
}

/// Which nodes up to the loss depend on `wrt` in a way that has a derivative.
fn flowing(b: &Builder, loss: Value, wrt: &[Value]) -> Vec<bool> {
    let mut flows = vec![false; loss.index() + 1];
    for (value, node) in b.graph().nodes.iter().take(loss.index() + 1) {
        let stopped =
            matches!(node.prim, Prim::Map { op: ScalarOp::Stop, .. }) || node.ty.dtype != DType::F32;
        let reached = node.prim.inputs().iter().any(|v| flows[v.index()]);
        flows[value.index()] = wrt.contains(&value) || (reached && !stopped);
    }
    flows
}

fn zeros(b: &mut Builder, like: Value) -> Value {
    let zero = b.constant(0.0);
    let shape = b.shape(like).clone();
    b.broadcast_to(zero, &shape)
}

#[cfg(test)]
mod tests;
