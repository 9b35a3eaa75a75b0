//! Masks travel beside tensors: which steps of a sequence count, `f32[B, T]`, 1 keeps, 0 is padding.
//!
//! Layers say what becomes of the mask of their first input ([`Masking`](crate::ops::Masking)); arithmetic and
//! functions are treated here. A mask that is lost costs accuracy alone; one kept where time was moved
//! would be wrong, so whatever moves or mixes steps drops it.

use super::several::{self, Found};
use super::{Ev, pipe::Inputs};
use crate::base::{DType, Span};
use crate::diag::Diagnostic;
use crate::graph::Value;
use crate::ops::Masking;
use crate::ops::formula::{Item, Slot};
use crate::syntax::ast::{Arg, BinOp, IndexItem};

/// Functions whose result may have the shape of what went in, its steps at other places.
const MOVERS: &[&str] = &["transpose", "roll", "cumsum", "gather", "one_hot"];

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

/// The mask of `x[items]`: cut as the first two axes are.
pub(super) fn of_index(ev: &mut Ev, base: Value, items: &[IndexItem], made: Value, span: Span) {
    let Some(mask) = ev.scope.mask(base) else { return };
    let spoken = &items[..items.len().min(2)];
    if spoken.iter().any(|item| matches!(item, IndexItem::At(_))) {
        return;
    }
    if let Ok(mask) = ev.cut(mask, spoken, span) {
        ev.scope.note_mask(made, Some(mask));
    }
}

/// `padding(x)`: 1 where a step counts.
pub(super) fn padding(ev: &mut Ev, leading: Inputs, args: &[Arg], span: Span) -> Found {
    let slots = [Slot { name: "x", required: true }];
    let mut given = several::bound(ev, "padding", &slots, leading, args, span)?;
    let argument = given[0].take().expect("bind: required");
    let at = argument.span;
    let x = several::tensor(ev, argument)?;
    ev.at(span);
    if let Some(mask) = ev.scope.mask(x) {
        return Ok(Item::Tensor(mask));
    }
    let ty = ev.b.ty(x).clone();
    if ty.dtype == DType::F32 || ty.rank() != 2 {
        let message = format!("`padding` looks for the id 0 among `i32[B, T]`, but this is {ty}");
        let d = Diagnostic::error("dtype::argument", message, at, format!("this is {ty}"));
        return ev.fail(
            d.help("give it the ids of a sequence, or what `Embedding(…, mask_zero=true)` made of them"),
        );
    }
    let ids = ev.b.to_i32(x);
    let zero = ev.b.int(0);
    Ok(Item::Tensor(ev.b.ne(ids, zero)))
}
