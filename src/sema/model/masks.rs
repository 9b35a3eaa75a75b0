//! Masks travel beside tensors: which steps of a sequence count, `f32[B, T]`, 1 keeps, 0 is padding.
//!
//! Layers say what becomes of the mask of their first input ([`Masking`](crate::ops::Masking)); arithmetic and
//! functions are treated here. A mask that is lost costs accuracy alone; one kept where time was moved
//! would be wrong, so whatever moves or mixes steps drops it.

use super::Ev;
use crate::graph::Value;
use crate::ops::Masking;
use crate::syntax::ast::BinOp;

/// Functions whose result may have the shape of what went in, its steps at other places.
const MOVERS: &[&str] = &["transpose", "roll", "cumsum", "einsum", "stack", "gather", "topk", "one_hot"];

/// The mask of a function's result, given that of the tensor that came first.
pub(super) fn of_function(ev: &mut Ev, name: &str, first: Option<Value>, made: Value) {
    let Some(first) = first.filter(|_| !MOVERS.contains(&name)) else { return };
    let kept = Masking::Kept.follow(ev.scope.mask(first), ev.b.shape(first), ev.b.shape(made));
    ev.scope.note_mask(made, kept);
}

/// The mask of `a op b`: a step counts if it does on both sides.
pub(super) fn of_both(ev: &mut Ev, op: BinOp, sides: [Option<Value>; 2], made: Value) {
    if op == BinOp::MatMul && sides[0].is_none_or(|v| ev.b.shape(v).rank() < 3) {
        return;
    }
    let sides = if op == BinOp::MatMul { [sides[0], None] } else { sides };
    let found = sides.map(|side| {
        let side = side?;
        Masking::Kept.follow(ev.scope.mask(side), ev.b.shape(side), ev.b.shape(made))
    });
    let mask = match found {
        [Some(a), Some(b)] if a != b => Some(ev.b.mul(a, b)),
        [a, b] => a.or(b),
    };
    ev.scope.note_mask(made, mask);
}
