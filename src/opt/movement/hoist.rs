//! Broadcasts on their way to the outputs.

use crate::base::{Shape, TensorType};
use crate::graph::{Prim, ScalarOp, Value};
use crate::opt::rewrite::Rebuild;

/// The rank-0 value that `v` repeats at every place.
pub fn repeated(r: &Rebuild, v: Value) -> Option<Value> {
    match *r.prim(v) {
        Prim::Broadcast { input, .. } if r.rank(input) == 0 => Some(input),
        _ => None,
    }
}

/// The same, if it is a number.
pub fn repeated_number(r: &Rebuild, v: Value) -> Option<f64> {
    r.b.as_number(repeated(r, v)?)
}

/// A map reads rank-0 operands as they are, and maps what is repeated before it is.
pub fn map(r: &mut Rebuild, op: ScalarOp, inputs: &[Value], ty: &TensorType) -> Option<Value> {
    let operands: Vec<Value> = inputs.iter().map(|&v| repeated(r, v).unwrap_or(v)).collect();
    if let Some((axes, sources)) = common_broadcast(r, &operands, &ty.shape) {
        let small = r.b.map(op, &sources);
        return Some(r.b.broadcast(small, ty.shape.clone(), &axes));
    }
    (operands != inputs).then(|| {
        let small = r.b.map(op, &operands);
        r.b.broadcast_to(small, &ty.shape)
    })
}

/// The operands before broadcasting, where all but numbers are broadcast along the same axes.
fn common_broadcast(r: &Rebuild, operands: &[Value], shape: &Shape) -> Option<(Vec<usize>, Vec<Value>)> {
    let mut common: Option<Vec<usize>> = None;
    let mut sources = Vec::with_capacity(operands.len());
    for &v in operands {
        match r.prim(v) {
            Prim::Broadcast { input, axes } => {
                if common.as_ref().is_some_and(|c| c != axes) {
                    return None;
                }
                common = Some(axes.clone());
                sources.push(*input);
            }
            _ if r.rank(v) == 0 => sources.push(v),
            _ => return None,
        }
    }
    let axes = common?;
    (shape.rank() > 0).then_some((axes, sources))
}
