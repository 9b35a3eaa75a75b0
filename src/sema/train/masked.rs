//! Losses average what the mask of the prediction keeps.
//!
//! No formula knows of masks: each averages with weights, and a mask is a weight of 0 or of one over the share that
//! is kept. Where a formula divides by what it counted itself, the labels of padding become the one that it ignores.

use super::loss::{Inputs, tensor};
use super::weigh::weighed;
use crate::base::Shape;
use crate::graph::{Builder, Value};
use crate::ops::formula::{Given, Item, Number, tensor_of};
use crate::sema::model::{Entity, Ev};
use crate::syntax::ast::Ident;

/// The label that formulas by class ignore unless told otherwise.
const NO_CLASS: i64 = -1;

/// Leaves padding out of the loss `op` of `prediction`.
pub(super) fn leave_out(
    ev: &mut Ev,
    op: &str,
    by_class: bool,
    prediction: Option<Value>,
    given: &mut Inputs,
) {
    let Some(mask) = prediction.and_then(|p| ev.scope.mask(p)) else { return };
    if takes_mask(ev, op) {
        return hand_on(mask, given);
    }
    let Some(averaged) = weighed(ev, op, given) else { return };
    let Some(mask) = spread(ev.b, mask, &averaged) else { return };
    if by_class {
        return ignore(ev, mask, given);
    }
    let kept = ev.b.sum_all(mask);
    let one = ev.b.constant(1.0);
    let kept = ev.b.max(kept, one);
    let all = ev.b.size(&averaged.size());
    let factor = ev.b.div(all, kept);
    let mut weight = ev.b.mul(mask, factor);
    let named = |g: &&mut Given<Item<Entity>>| g.name.as_ref().is_some_and(|n| &*n.name == "weight");
    match given.iter_mut().find(named) {
        Some(argument) => {
            if let Ok(own) = ev.as_operand(argument.value.clone(), argument.span) {
                let own = tensor_of(ev.b, &own);
                weight = ev.b.mul(weight, own);
            }
            argument.value = Item::Tensor(weight);
        }
        None => {
            let span = given.first().map_or_else(Default::default, |g| g.span);
            let name = Some(Ident { name: "weight".into(), span });
            given.push(Given { name, value: Item::Tensor(weight), span });
        }
    }
}

/// Whether a formula leaves steps out by itself.
fn takes_mask(ev: &Ev, op: &str) -> bool {
    ev.lib.std_op(op).is_some_and(|op| op.params.iter().any(|p| &*p.name == "mask"))
}

/// The mask as an argument, unless there is one.
fn hand_on(mask: Value, given: &mut Inputs) {
    if given.iter().any(|g| g.name.as_ref().is_some_and(|n| &*n.name == "mask")) {
        return;
    }
    let span = given.first().map_or_else(Default::default, |g| g.span);
    given.push(Given { name: Some(Ident { name: "mask".into(), span }), value: Item::Tensor(mask), span });
}

/// Gives padding the label that counts nothing.
fn ignore(ev: &mut Ev, mask: Value, given: &mut Inputs) {
    let named = |g: &&Given<Item<Entity>>| g.name.as_ref().is_some_and(|n| &*n.name == "ignore");
    let ignored = match given.iter().find(named).map(|g| &g.value) {
        Some(Item::Number(Number::Int(n))) => n.as_const(),
        _ => None,
    };
    let Some(label) = given.get_mut(1) else { return };
    let Some(ids) = tensor(&label.value) else { return };
    let none = ev.b.int(ignored.unwrap_or(NO_CLASS));
    let ids = ev.b.to_i32(ids);
    label.value = Item::Tensor(ev.b.select(mask, ids, none));
}

/// A mask of steps over the further axes of what is averaged; `None` if that has no such steps.
pub(super) fn spread(b: &mut Builder, mask: Value, over: &Shape) -> Option<Value> {
    let steps = b.shape(mask).clone();
    let fits = over.get(..steps.rank()) == Some(&steps[..]);
    fits.then(|| b.broadcast(mask, over.clone(), &(0..steps.rank()).collect::<Vec<_>>()))
}
