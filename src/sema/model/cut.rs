//! Cuts of columns, where they are fed or computed on: `plays.tokens[:-1]`. Shapes in `feed` and `data` are of one row, so
//! the first place in `[ ]` cuts the axis behind the batch.

use crate::base::{Dim, Shape, Span};
use crate::diag::Diagnostic;
use crate::graph::Value;
use crate::ops::formula::{Checked, Eval, Item, Number, Reported, Scope, spread};
use crate::sema::ctx::Ctx;
use crate::syntax::ast::{Expr, IndexItem};

/// What is left of one axis: from where, how far apart, how many; a place alone takes the axis away.
struct Kept {
    start: Dim,
    step: i64,
    len: Dim,
    stays: bool,
}

/// A column, cut.
pub(in crate::sema) fn fed<S: Scope>(
    ev: &mut Eval<'_, S>,
    cx: &Ctx,
    base: &Expr,
    items: &[IndexItem],
    span: Span,
) -> Checked<Item<S::Entity>> {
    let value = match ev.eval(base)? {
        Item::Tensor(value) => value,
        other => {
            let found = ev.describe(&other);
            let d = Diagnostic::error("feed::cut", "only a column can be cut here", base.span, found);
            return ev.fail(d.help("write a column before the brackets, such as `tokens[1:]`"));
        }
    };
    let row = Shape::from(ev.b.shape(value)[1..].to_vec());
    let said = match spread(items, row.rank()) {
        Ok(said) => said,
        Err(again) => {
            let d = Diagnostic::error("feed::cut", "`..` stands for axes twice", again, "the second");
            return ev.fail(d.help("write it once: `..` takes all axes that nothing else is said of"));
        }
    };
    if said.len() > row.rank() {
        let message = format!("a row of this column has {} to cut, not {}", axes(row.rank()), said.len());
        let d = Diagnostic::error("feed::cut", message, span, format!("a row is {row}"));
        return ev
            .fail(d.help("give one place or range for each axis of a row: the batch is not among them"));
    }
    let mut kept = Vec::new();
    for (item, size) in said.into_iter().zip(row.iter()) {
        kept.push(match item {
            Some(item) => axis(ev, cx, item, size, span)?,
            None => all(size),
        });
    }
    ev.at(span);
    Ok(Item::Tensor(cut(ev, value, kept)))
}

fn axes(rank: usize) -> String {
    match rank {
        0 => "no axis".to_string(),
        1 => "one axis".to_string(),
        n => format!("{n} axes"),
    }
}

fn axis<S: Scope>(
    ev: &mut Eval<'_, S>,
    cx: &Ctx,
    item: &IndexItem,
    size: &Dim,
    whole: Span,
) -> Checked<Kept> {
    match item {
        IndexItem::Rest(_) => Ok(all(size)),
        IndexItem::At(place) => {
            let at = number(ev, cx, place)?;
            if size.as_const().is_some_and(|n| !(-n..n).contains(&at)) {
                return outside(ev, place.span, size);
            }
            Ok(Kept { start: from_end(at, size), step: 1, len: Dim::one(), stays: false })
        }
        IndexItem::Slice { start, stop, step, span } => {
            let mut part = |e: &Option<Expr>| e.as_ref().map(|e| number(ev, cx, e)).transpose();
            let (start, stop, step) = (part(start)?, part(stop)?, part(step)?.unwrap_or(1));
            let from = start.map_or(Dim::zero(), |at| from_end(at, size));
            let to = stop.map_or(size.clone(), |at| from_end(at, size));
            if step < 1 {
                let message = format!("a step of {step} goes nowhere");
                let d = Diagnostic::error("feed::cut", message, *span, "not a step forward");
                return ev.fail(d.help("write a step of 1 or more: `[::2]`"));
            }
            let len = to.clone() - from.clone();
            match (len.as_const(), size.as_const()) {
                (Some(n), Some(all)) if n < 1 || from.as_const() < Some(0) || to.as_const() > Some(all) => {
                    outside(ev, *span, size)
                }
                (Some(n), _) => {
                    Ok(Kept { start: from, step, len: Dim::from((n + step - 1) / step), stays: true })
                }
                (None, _) if step == 1 => Ok(Kept { start: from, step, len, stays: true }),
                (None, _) => {
                    let message = format!(
                        "{size} steps are not known before the data, so they cannot be taken by {step}"
                    );
                    let d = Diagnostic::error("feed::cut", message, whole, "of unknown length");
                    ev.fail(d.help("leave the step out, or write the size as a number"))
                }
            }
        }
    }
}

fn all(size: &Dim) -> Kept {
    Kept { start: Dim::zero(), step: 1, len: size.clone(), stays: true }
}

/// A place counted from the end if it is negative.
fn from_end(at: i64, size: &Dim) -> Dim {
    if at < 0 { size.clone() - Dim::from(-at) } else { Dim::from(at) }
}

fn outside<T, S: Scope>(ev: &mut Eval<'_, S>, at: Span, size: &Dim) -> Checked<T> {
    let message = format!("this leaves nothing of {size}, or reaches beyond");
    let d = Diagnostic::error("feed::cut", message, at, format!("the axis has {size}"));
    ev.fail(d.help(
        "places count from 0, or from the end with a minus; the end of a range is left out, as in Python",
    ))
}

fn number<S: Scope>(ev: &mut Eval<'_, S>, cx: &Ctx, expr: &Expr) -> Checked<i64> {
    let found = cx.constant(expr).ok_or(Reported)?;
    if let Item::Number(Number::Int(dim)) = &found
        && let Some(n) = dim.as_const()
    {
        return Ok(n);
    }
    let d = Diagnostic::error("feed::cut", "a place is a whole number", expr.span, "not a place");
    ev.fail(d.help("write numbers, params or dims: `[:-1]`, `[1:T]`"))
}

fn cut<S: Scope>(ev: &mut Eval<'_, S>, value: Value, kept: Vec<Kept>) -> Value {
    let shape = ev.b.shape(value).clone();
    let (mut starts, mut steps) = (vec![Dim::zero(); shape.rank()], vec![1; shape.rank()]);
    let (mut sizes, mut stays) = (shape.to_vec(), vec![true; starts.len()]);
    for (axis, kept) in kept.into_iter().enumerate() {
        starts[axis + 1] = kept.start;
        steps[axis + 1] = kept.step;
        sizes[axis + 1] = kept.len;
        stays[axis + 1] = kept.stays;
    }
    let left: Vec<Dim> =
        sizes.iter().zip(&stays).filter(|(_, stays)| **stays).map(|(d, _)| d.clone()).collect();
    let cut = ev.b.slice(value, starts, steps, sizes);
    ev.b.reshape(cut, left)
}
