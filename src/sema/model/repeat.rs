//! `repeat(n) stage as h`: a chain of copies, each with weights of its own.

use super::copies::{self, Copied};
use super::pipe::{Called, Inputs, flow, named_again, prepare};
use super::{Entity, Ev, Pending};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::ops::formula::{Checked, Given, Item, Reported, in_use};
use crate::syntax::ast::{Expr, ExprKind, Ident, Path};
use std::rc::Rc;

type Found = Checked<Item<Entity>>;

/// Longer chains are a slip of the pen: nobody trains them, and checking must end soon.
const MOST_REPEATS: i64 = 10_000;

pub(super) struct Chain<'e> {
    pub var: Option<&'e Ident>,
    pub count: &'e Expr,
    pub body: &'e Expr,
    pub name: Option<&'e Path>,
    pub stage: Span,
    pub span: Span,
}

/// Chains copies of `body`, each with weights of its own: `h.0`, `h.1`, …
pub(super) fn repeat(ev: &mut Ev, inputs: Checked<Inputs>, chain: Chain) -> Found {
    let indices = indices(ev, &chain);
    let mut flowing = inputs;
    // A chain that cannot run is looked at once, for what is wrong in its body.
    let indices = match (&flowing, indices) {
        (Ok(_), Ok(indices)) => indices,
        (_, Ok(indices)) if !indices.is_empty() => vec![indices[0]],
        (_, Ok(indices)) => indices,
        (_, Err(Reported)) => {
            flowing = Err(Reported);
            vec![1]
        }
    };
    let hidden = chain.var.map(|var| (var, ev.scope.names.get(&var.name).cloned()));
    if let Some(var) = chain.var {
        crate::sema::names::shadows(ev.scope.cx, var);
    }
    let (copies, before) = (indices.len(), std::mem::take(ev.diags));
    let mut first = None;
    for i in indices {
        if let Some(var) = chain.var {
            ev.scope.names.insert(var.name.clone(), Some(Item::int(i)));
        }
        flowing = match (&first, &flowing) {
            (Some(first), Ok(inputs)) => copies::again(ev, first, inputs, &path(ev, &chain, i)),
            (_, _) => None,
        }
        .map_or_else(|| copy(ev, &mut first, flowing, &chain, i), Ok);
        if flowing.is_err() {
            break;
        }
    }
    let found = std::mem::replace(ev.diags, before);
    ev.diags.extend(in_use(found, &format!("a `repeat` of {copies} copies"), chain.stage, |_| false));
    if let Some((var, before)) = hidden {
        match before {
            Some(item) => ev.scope.names.insert(var.name.clone(), item),
            None => ev.scope.names.remove(&var.name),
        };
    }
    let mut items: Vec<Item<Entity>> = flowing?.into_iter().map(|g| g.value).collect();
    Ok(if items.len() == 1 { items.remove(0) } else { Item::Tuple(items) })
}

/// Elaborates copy `i`, and keeps what it wrote if others may be written after it.
fn copy(
    ev: &mut Ev,
    first: &mut Option<Copied>,
    flowing: Checked<Inputs>,
    chain: &Chain,
    i: i64,
) -> Checked<Inputs> {
    let called = prepare(ev, chain.body, flowing.is_err())?;
    named_before(ev, &called, chain)?;
    let called = numbered(called, chain, i);
    let inputs = flowing?;
    let before = copies::Before::now(ev, &inputs);
    let made = flow(ev, called, inputs, None, chain.body.span, chain.span)?;
    let items = match made {
        Item::Tuple(items) => items,
        one => vec![one],
    };
    let made = items.into_iter().map(|value| Given { name: None, value, span: chain.stage }).collect();
    if chain.var.is_none() && chain.name.is_some() && first.is_none() {
        *first = before.and_then(|before| before.copied(ev, &made, &path(ev, chain, i)));
    }
    Ok(made)
}

/// The path of copy `i`, if the chain has a name.
fn path(ev: &Ev, chain: &Chain, i: i64) -> String {
    let name = chain.name.map(Path::dotted).unwrap_or_default();
    format!("{}{name}.{i}", ev.scope.prefix)
}

/// A `let` names one layer, and a chain of it shares its weights: `as` would name nothing.
fn named_before(ev: &mut Ev, called: &Called, chain: &Chain) -> Checked<()> {
    let (Called::Pending(pending), Some(path)) = (called, chain.name) else { return Ok(()) };
    let Some(known) = &pending.name else { return Ok(()) };
    let d = named_again(known, path);
    ev.fail(d.help("take out `as …` to share the weights, or write the layer itself behind `repeat`"))
}

/// Gives copy `i` its path.
fn numbered<'e>(called: Called<'e>, chain: &Chain, i: i64) -> Called<'e> {
    match (called, chain.name) {
        (Called::Pending(pending), Some(path)) => {
            let name = Some((format!("{}.{i}", path.dotted()), path.span));
            Called::Pending(Rc::new(Pending { name, ..(*pending).clone() }))
        }
        (called, _) => called,
    }
}

/// `repeat(3)` counts 0 to 2; `repeat(i in 1..4)` counts 1 to 4.
fn indices(ev: &mut Ev, chain: &Chain) -> Checked<Vec<i64>> {
    let (from, to) = match (&chain.count.bare().kind, chain.var) {
        (ExprKind::Range(from, to), Some(_)) => (whole(ev, from), whole(ev, to)),
        (_, Some(_)) => {
            let d = Diagnostic::error(
                "value::type",
                "`repeat(i in …)` takes a range",
                chain.count.span,
                "not a range",
            );
            return ev.fail(d.help("write `repeat(i in 1..4)`; both ends are included"));
        }
        (_, None) => (Ok(0), whole(ev, chain.count).map(|n| n - 1)),
    };
    let (from, to) = (from?, to?);
    if chain.var.is_some() && to < from - 1 {
        let message = format!("`{from}..{to}` runs backwards");
        let d = Diagnostic::error("value::range", message, chain.count.span, "ends before it starts");
        return ev.fail(d.help(format!("write `{to}..{from}`; `1..0` is no copy at all")));
    }
    if to < from - 1 || to - from > MOST_REPEATS {
        let message = format!("`repeat` cannot chain {} copies", to - from + 1);
        let d = Diagnostic::error("value::range", message, chain.count.span, "out of range");
        return ev.fail(d.help(format!("choose from 0 to {MOST_REPEATS} copies")));
    }
    Ok((from..=to).collect())
}

fn whole(ev: &mut Ev, expr: &Expr) -> Checked<i64> {
    let size = ev.size(expr)?;
    match size.as_const() {
        Some(n) => Ok(n),
        None => {
            let d = Diagnostic::error(
                "value::type",
                "`repeat` takes a known number",
                expr.span,
                format!("this is `{size}`"),
            );
            ev.fail(d.help("write a number or a param"))
        }
    }
}
