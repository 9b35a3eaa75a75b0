//! `concat(a, b, axis=-1)`, `stack(a, b)`: tensors side by side, as many as there are.

use super::pipe::Inputs;
use super::{Entity, Ev, masks};
use crate::base::{DType, Dim, Span};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::formula::{Checked, Given, Item, tensor_of};
use crate::sema::train;
use crate::syntax::ast::Arg;

type Parts = Vec<(Value, Span)>;

pub(super) fn concat(ev: &mut Ev, leading: Inputs, args: &[Arg], span: Span) -> Checked<Item<Entity>> {
    let (parts, named) = parts(ev, "concat", leading, args, span)?;
    let first = parts[0];
    let axis = axis(ev, "concat", &named, first.0, span)?;
    for part in &parts[1..] {
        fits(ev, first, *part, Some(axis))?;
    }
    ev.at(span);
    let same = of_one_type(ev, &parts);
    let joined = ev.b.concat(&same, axis);
    masks::of_function(ev, "concat", Some(first.0), joined);
    let text = format!("`concat` gives {}", ev.b.ty(joined));
    ev.scope.note(joined, Some(first.0), span, text);
    Ok(Item::Tensor(joined))
}

/// `stack(a, b, axis=-1)`: along an axis that is new.
pub(super) fn stack(ev: &mut Ev, leading: Inputs, args: &[Arg], span: Span) -> Checked<Item<Entity>> {
    let (parts, named) = parts(ev, "stack", leading, args, span)?;
    let first = parts[0];
    for part in &parts[1..] {
        fits(ev, first, *part, None)?;
    }
    ev.at(span);
    // The axis is one of the result, which has one more.
    let same: Vec<Value> = of_one_type(ev, &parts);
    let shape = ev.b.shape(same[0]).with_axis(ev.b.shape(same[0]).rank(), Dim::one());
    let longer = ev.b.reshape(same[0], shape);
    let axis = axis(ev, "stack", &named, longer, span)?;
    ev.at(span);
    let joined = joined_anew(ev.b, &same, axis);
    let text = format!("`stack` gives {}", ev.b.ty(joined));
    ev.scope.note(joined, Some(first.0), span, text);
    Ok(Item::Tensor(joined))
}

/// Tensors of one shape along a new axis.
pub(super) fn joined_anew(b: &mut Builder, parts: &[Value], axis: usize) -> Value {
    let with_axis = |b: &mut Builder, v: Value| {
        let shape = b.shape(v).with_axis(axis, Dim::one());
        b.reshape(v, shape)
    };
    let parts: Vec<Value> = parts.iter().map(|v| with_axis(b, *v)).collect();
    b.concat(&parts, axis)
}

/// Tensors, at least two, and the settings behind them.
fn parts<'a>(
    ev: &mut Ev,
    callee: &str,
    leading: Inputs,
    args: &'a [Arg],
    span: Span,
) -> Checked<(Parts, Vec<&'a Arg>)> {
    let (named, plain): (Vec<&Arg>, Vec<&Arg>) = args.iter().partition(|a| a.name.is_some());
    let plain: Vec<Arg> = plain.into_iter().cloned().collect();
    let mut given = leading;
    given.extend(train::given(ev, &plain)?);
    let parts = tensors(ev, given)?;
    if parts.len() >= 2 {
        return Ok((parts, named));
    }
    let count = if parts.is_empty() { "none" } else { "one" };
    let message = format!("`{callee}` joins several tensors, but {count} comes in");
    let d = Diagnostic::error("call::inputs", message, span, "at least two are needed");
    ev.fail(d.help(format!("write `{callee}(a, b)`, or `(a, b) |> {callee}`")))
}

/// Whole numbers if all are, else `f32`.
fn of_one_type(ev: &mut Ev, parts: &Parts) -> Vec<Value> {
    let whole = parts.iter().all(|(v, _)| ev.b.dtype(*v) == DType::I32);
    parts.iter().map(|(v, _)| if whole { *v } else { ev.b.to_f32(*v) }).collect()
}

/// All tensors that come in, those of tuples one by one.
fn tensors(ev: &mut Ev, given: Inputs) -> Checked<Vec<(Value, Span)>> {
    let mut parts = Vec::new();
    for Given { value, span, .. } in given {
        match value {
            Item::Tuple(items) => {
                let items = items.into_iter().map(|value| Given { name: None, value, span }).collect();
                parts.extend(tensors(ev, items)?);
            }
            value => {
                let operand = ev.as_operand(value, span)?;
                ev.at(span);
                parts.push((tensor_of(ev.b, &operand), span));
            }
        }
    }
    Ok(parts)
}

/// The last axis, or the one that `axis` says, counted from the front.
fn axis(ev: &mut Ev, callee: &str, named: &[&Arg], first: Value, span: Span) -> Checked<usize> {
    let rank = ev.b.shape(first).rank() as i64;
    let (mut axis, mut at) = (-1, span);
    for arg in named {
        let name = arg.name.as_ref().expect("concat: just sorted by having a name");
        if &*name.name != "axis" {
            let message = format!("`{callee}` has no setting `{}`", name.name);
            let d = Diagnostic::error("call::unknown", message, name.span, "not a setting");
            return ev.fail(d.help("its one setting is `axis`, the last unless said"));
        }
        at = arg.value.span;
        axis = match ev.size(&arg.value)?.as_const() {
            Some(axis) => axis,
            None => {
                let d = Diagnostic::error("call::constant", "an axis is a known number", at, "not known");
                return ev.fail(d.help("write a number such as `axis=-1`"));
            }
        };
    }
    let from_front = if axis < 0 { axis + rank } else { axis };
    if (1..rank).contains(&from_front) {
        return Ok(from_front as usize);
    }
    let ty = ev.b.ty(first);
    let message = format!("`{callee}` has no axis {axis} to join along in {ty}");
    let d = Diagnostic::error("shape::axis", message, at, "no such axis behind the batch");
    ev.fail(d.help(match rank {
        0 | 1 => "give each row an axis first: `x |> Reshape(1)`".to_string(),
        _ => format!("axes behind the batch are 1 to {}, or -{} to -1", rank - 1, rank - 1),
    }))
}

/// Two tensors are joined if they differ along the axis alone; along a new one, if they do not.
fn fits(ev: &mut Ev, first: (Value, Span), other: (Value, Span), axis: Option<usize>) -> Checked<()> {
    let [a, b] = [first.0, other.0].map(|v| ev.b.shape(v).clone());
    let same =
        a.len() == b.len() && a.iter().zip(b.iter()).enumerate().all(|(i, (a, b))| Some(i) == axis || a == b);
    if same {
        return Ok(());
    }
    let [left, right] = [first.0, other.0].map(|v| ev.b.ty(v).to_string());
    let message = match axis {
        Some(axis) => format!("`concat` along axis {axis} cannot join {left} and {right}"),
        None => format!("`stack` cannot join {left} and {right}"),
    };
    let d = Diagnostic::error("shape::mismatch", message, other.1, format!("this is {right}"))
        .label(first.1, format!("this is {left}"))
        .help(match axis {
            Some(_) => "all other axes must be equal: `Flatten` or `Reshape` one of the two",
            None => "give it tensors of one shape; `concat` joins along an axis that is there",
        });
    let d = [first.0, other.0].into_iter().fold(d, |d, v| ev.scope.explain(d, v));
    ev.fail(d)
}
