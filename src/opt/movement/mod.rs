//! Moves movement out of the way of arithmetic.
//!
//! Reshape, permute and slice go towards the leaves, through maps that have no other user,
//! so that chains of maps keep one iteration space; neighbours merge and what moves nothing
//! goes. Broadcasts go the other way: what is repeated is computed once. Folds and
//! contractions take movement into their axes. Exact, but for sums whose order changes, a
//! sum of `n` equal numbers that becomes a product, and the sign of a zero. A size with a
//! name is taken to be at least 1.

mod contract;
mod hoist;
mod pad;
mod push;
mod reduce;
pub(super) mod regroup;

use super::rewrite::{Rebuild, rewrite};
use crate::base::TensorType;
use crate::graph::{Graph, Prim, Value};
use pad::Edges;
use push::{Move, push};

pub fn run(graph: &mut Graph) -> bool {
    rewrite(graph, rule)
}

fn rule(r: &mut Rebuild, prim: &Prim, ty: &TensorType) -> Option<Value> {
    match prim {
        Prim::Map { op, inputs } => hoist::map(r, *op, inputs, ty),
        Prim::Reduce { fold, axes, input } => reduce::rule(r, *fold, axes, *input, ty),
        Prim::Contract { spec, inputs: [lhs, rhs] } => contract::rule(r, spec, *lhs, *rhs),
        Prim::Reshape { input } => Some(push(r, *input, Move::Reshape(ty.shape.clone()))),
        Prim::Permute { input, perm } => Some(push(r, *input, Move::Permute(perm.clone()))),
        Prim::Slice { input, start, step } => {
            let (start, step, shape) = (start.clone(), step.clone(), ty.shape.clone());
            Some(push(r, *input, Move::Slice { start, step, shape }))
        }
        Prim::Broadcast { input, axes } => {
            let Prim::Broadcast { input: inner, axes: first } = r.prim(*input) else {
                // A number already there is no movement; `broadcast` sees to that.
                return Some(r.b.broadcast(*input, ty.shape.clone(), axes));
            };
            let (inner, both) = (*inner, first.iter().map(|&a| axes[a]).collect::<Vec<_>>());
            Some(r.b.broadcast(inner, ty.shape.clone(), &both))
        }
        Prim::Pad { input, lo, hi, inner, value } => {
            let filled = hoist::repeated_number(r, *input) == Some(*value);
            let number = filled.then(|| r.b.number(*value, ty.dtype));
            Some(match number {
                Some(number) => r.b.broadcast_to(number, &ty.shape),
                None => pad::rule(
                    r,
                    *input,
                    Edges { lo: lo.clone(), hi: hi.clone(), inner: inner.clone() },
                    *value,
                ),
            })
        }
        Prim::Window { input, .. } => {
            let number = hoist::repeated(r, *input)?;
            Some(r.b.broadcast_to(number, &ty.shape))
        }
        Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Size(_)
        | Prim::Iota { .. }
        | Prim::Gather { .. }
        | Prim::Scatter { .. }
        | Prim::Random { .. }
        | Prim::Scan { .. } => None,
    }
}
