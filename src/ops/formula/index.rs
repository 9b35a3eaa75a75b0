//! `x[:, 0]`, `x[:, 1:]`, `x[:, ::-1]`, `x[.., -1]`: places and stretches of axes, as in NumPy.
//!
//! Sizes are counted exactly: of an axis whose size is a symbol no end can be clamped. Rows of a batch stand apart, so
//! that its axis is kept whole.

use super::item::Item;
use super::{Checked, Eval, Reported, Scope};
use crate::base::{Dim, Shape, Span};
use crate::diag::Diagnostic;
use crate::graph::Value;
use crate::syntax::ast::{Expr, IndexItem};

/// What is taken of one axis.
struct Cut {
    start: Dim,
    step: i64,
    len: Dim,
    /// A single place: its axis goes.
    single: bool,
}

impl<S: Scope> Eval<'_, S> {
    /// A part of a tensor, or one of several values; `at` is the text of `base`.
    pub fn index(
        &mut self,
        base: Item<S::Entity>,
        at: Span,
        items: &[IndexItem],
        span: Span,
    ) -> Checked<Item<S::Entity>> {
        match base {
            Item::Tensor(v) => self.cut(v, items, span).map(Item::Tensor),
            Item::Tuple(all) => self.pick(all, items, span),
            other => {
                let found = self.describe(&other);
                let d = Diagnostic::error("value::kind", "only tensors have places to take", at, found);
                self.fail(d.help("name a tensor in front of `[`"))
            }
        }
    }

    /// One of several values by its place.
    fn pick(
        &mut self,
        all: Vec<Item<S::Entity>>,
        items: &[IndexItem],
        span: Span,
    ) -> Checked<Item<S::Entity>> {
        let count = all.len() as i64;
        let place = match items {
            [IndexItem::At(at)] => self.size(at)?.as_const(),
            _ => None,
        };
        let from_front = place.map(|at| if at < 0 { at + count } else { at });
        let found = from_front.and_then(|at| all.into_iter().nth(usize::try_from(at).ok()?));
        found.ok_or(Reported).or_else(|Reported| {
            let message = format!("there are {count} values, and this names none of them");
            let d = Diagnostic::error("shape::index", message, span, "no such place");
            self.fail(d.help(format!("write one place from 0 to {}", count - 1)))
        })
    }

    /// The part of `v` that `items` name, axis by axis.
    pub fn cut(&mut self, v: Value, items: &[IndexItem], span: Span) -> Checked<Value> {
        let shape = self.b.shape(v).clone();
        let said = match spread(items, shape.rank()) {
            Ok(said) => said,
            Err(again) => {
                let d = Diagnostic::error("shape::index", "`..` stands for axes twice", again, "the second");
                return self.fail(d.help("write it once: `..` takes all axes that nothing else is said of"));
            }
        };
        if said.len() > shape.rank() {
            let ty = self.b.ty(v).to_string();
            let message = format!("{} axes are named, but this is {ty}", said.len());
            let d = Diagnostic::error("shape::index", message, span, format!("this is {ty}"));
            return self.fail(d.help("name fewer axes: those behind the last one named are taken whole"));
        }
        let mut cuts: Vec<Cut> = shape.iter().map(whole).collect();
        for (cut, item) in cuts.iter_mut().zip(said) {
            let size = cut.len.clone();
            if let Some(item) = item {
                *cut = self.one(item, &size, span)?;
            }
        }
        self.at(span);
        let (starts, steps) = cuts.iter().map(|c| (c.start.clone(), c.step)).unzip();
        let sizes: Shape = cuts.iter().map(|c| c.len.clone()).collect();
        let singles: Vec<usize> = (0..cuts.len()).filter(|&a| cuts[a].single).collect();
        let part = self.b.slice(v, starts, steps, sizes.clone());
        Ok(self.b.reshape(part, sizes.without(&singles)))
    }

    fn one(&mut self, item: &IndexItem, size: &Dim, span: Span) -> Checked<Cut> {
        let cut = match item {
            IndexItem::At(at) => {
                let place = self.size(at)?;
                let from_front =
                    if is_negative(&place) { place.clone() + size.clone() } else { place.clone() };
                let outside = match (from_front.as_const(), size.as_const()) {
                    (Some(at), Some(size)) => !(0..size).contains(&at),
                    (Some(at), None) => at < 0,
                    (None, _) => false,
                };
                if outside {
                    let message = format!("place {place} is not on an axis of {size}");
                    let d = Diagnostic::error("shape::index", message, at.span, "no such place");
                    return self.fail(d.help("places count from 0, or from the end: -1 is the last"));
                }
                Cut { start: from_front, step: 1, len: Dim::one(), single: true }
            }
            IndexItem::Rest(_) => whole(size),
            IndexItem::Slice { start, stop, step, span } => {
                let mut size_of = |e: &Option<Expr>| e.as_ref().map(|e| self.size(e)).transpose();
                let (start, stop, step) = (size_of(start)?, size_of(stop)?, size_of(step)?);
                let step = step.unwrap_or_else(Dim::one);
                match step.as_const().and_then(|step| stretch(start, stop, step, size)) {
                    Some(cut) => cut,
                    None => {
                        let message = format!("this takes no known number of places of an axis of {size}");
                        let d = Diagnostic::error("shape::index", message, *span, "not a stretch of it");
                        return self.fail(d.help(
                            "write `start:stop`, counted from 0 or negative from the end; a step is a number but 0",
                        ));
                    }
                }
            }
        };
        if *size == Dim::sym("B") && (cut.single || cut.len != *size || cut.step != 1) {
            let d = Diagnostic::error(
                "shape::index",
                "rows of a batch stand apart",
                span,
                "takes some of the batch's rows",
            );
            return self.fail(d.help("the first axis is the batch: keep it whole, as in `x[:, 0]`"));
        }
        Ok(cut)
    }
}

/// What is said of each axis of a tensor of that rank; nothing of those that `..` stands for, and more than there are
/// if too many are named.
///
/// # Errors
/// Where `..` stands a second time.
pub fn spread(items: &[IndexItem], rank: usize) -> Result<Vec<Option<&IndexItem>>, Span> {
    let mut rests = items.iter().enumerate().filter_map(|(at, item)| match item {
        IndexItem::Rest(span) => Some((at, *span)),
        IndexItem::At(_) | IndexItem::Slice { .. } => None,
    });
    match (rests.next(), rests.next()) {
        (_, Some((_, again))) => Err(again),
        (None, None) => Ok(items.iter().map(Some).collect()),
        (Some((at, _)), None) => {
            let left = rank.saturating_sub(items.len() - 1);
            let before = items[..at].iter().map(Some);
            Ok(before.chain((0..left).map(|_| None)).chain(items[at + 1..].iter().map(Some)).collect())
        }
    }
}

fn whole(size: &Dim) -> Cut {
    Cut { start: Dim::zero(), step: 1, len: size.clone(), single: false }
}

fn is_negative(dim: &Dim) -> bool {
    dim.as_const().is_some_and(|n| n < 0)
}

/// `start:stop:step` of an axis by Python's rules; `None` if nobody can count its places.
fn stretch(start: Option<Dim>, stop: Option<Dim>, step: i64, size: &Dim) -> Option<Cut> {
    let from_front = |d: Dim| if is_negative(&d) { d + size.clone() } else { d };
    let (start, stop) = (start.map(from_front), stop.map(from_front));
    if let Some(n) = size.as_const() {
        return counted(start, stop, step, n);
    }
    let (start, len) = match (step, start, stop) {
        (1, start, stop) => {
            let start = start.unwrap_or_else(Dim::zero);
            let len = stop.unwrap_or_else(|| size.clone()) - start.clone();
            (start, len)
        }
        (-1, None, None) => (size.clone() - Dim::one(), size.clone()),
        (step, None, None) if step > 1 => (Dim::zero(), size.div_exact(&Dim::from(step))?),
        _ => return None,
    };
    (!is_negative(&start) && !is_negative(&len)).then_some(Cut { start, step, len, single: false })
}

/// The same where all is known: ends are clamped.
fn counted(start: Option<Dim>, stop: Option<Dim>, step: i64, n: i64) -> Option<Cut> {
    let known = |d: Option<Dim>, otherwise: i64| d.map_or(Some(otherwise), |d| d.as_const());
    let (start, len) = match step {
        1.. => {
            let (start, stop) = (known(start, 0)?.clamp(0, n), known(stop, n)?.clamp(0, n));
            (start, steps(stop - start, step))
        }
        ..=-1 => {
            let (start, stop) = (known(start, n - 1)?.clamp(-1, n - 1), known(stop, -1)?.clamp(-1, n - 1));
            (start, steps(start - stop, -step))
        }
        0 => return None,
    };
    (len > 0).then(|| Cut { start: Dim::from(start), step, len: Dim::from(len), single: false })
}

/// How many steps fit into what is not negative.
fn steps(room: i64, step: i64) -> i64 {
    (room.max(0) + step - 1) / step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_nothing_is_said_of_are_counted() {
        let at = || IndexItem::At(Expr { kind: crate::syntax::ast::ExprKind::Int(0), span: Span::default() });
        let rest = || IndexItem::Rest(Span::default());
        let said = |items: &[IndexItem], rank| {
            spread(items, rank).map(|all| all.iter().map(Option::is_some).collect::<Vec<_>>())
        };
        assert_eq!(said(&[rest(), at()], 3), Ok(vec![false, false, true]));
        assert_eq!(said(&[at(), rest(), at()], 3), Ok(vec![true, false, true]));
        assert_eq!(said(&[at(), rest()], 1), Ok(vec![true]));
        assert_eq!(said(&[at(), rest(), at()], 1), Ok(vec![true, true]));
        assert_eq!(said(&[rest(), rest()], 3), Err(Span::default()));
    }
}
