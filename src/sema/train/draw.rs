//! `draw { noise = Normal(shape=[B, z]) }`: tensors that no data have, drawn anew for each step.

use super::feed;
use super::not_found;
use super::update::call;
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::ops::draw::{self, DRAWS};
use crate::ops::formula::{Checked, Item, Reported};
use crate::ops::{self, AttrValue, Mode};
use crate::sema::ctx::Ctx;
use crate::sema::model::{Ev, Names};
use crate::syntax::ast::{Expr, Ident, Section};

/// The entries of a `draw`: names and calls.
pub(in crate::sema) type Draws<'a> = Vec<(&'a Ident, &'a Expr)>;

pub(in crate::sema) fn read<'a>(cx: &Ctx, section: &'a Section) -> Draws<'a> {
    feed(cx, section)
}

/// Draws everything for one step, `prefix` being what its name puts in front. Evaluation has streams of its own, so
/// that no number of the training comes again.
pub(in crate::sema) fn drawn(ev: &mut Ev, draws: &Draws, prefix: &str, mode: Mode) -> Names {
    let mut names = Names::new();
    let place = match mode {
        // Steps are told apart where they are put together.
        Mode::Train => String::new(),
        Mode::Eval => format!("eval.{prefix}"),
    };
    // Sizes are written as in types.
    let batch = "B".into();
    let outer = ev.scope.names.insert(std::sync::Arc::clone(&batch), Some(Item::int(Dim::sym("B"))));
    for (name, expr) in draws {
        let made = one(ev, name, expr, &format!("{place}draw.{}", name.name));
        names.insert(name.name.clone(), made.ok().map(Item::Tensor));
    }
    match outer {
        Some(item) => drop(ev.scope.names.insert(batch, item)),
        None => drop(ev.scope.names.remove(&batch)),
    }
    names
}

fn one(ev: &mut Ev, name: &Ident, expr: &Expr, site: &str) -> Checked<crate::graph::Value> {
    let cx = ev.scope.cx;
    let (callee, args) =
        call(cx, "draw", "a distribution such as `Normal(shape=[B, 64])`", expr).ok_or(Reported)?;
    let Some(def) = draw::find(&callee.name) else {
        let known: Vec<&str> = DRAWS.iter().map(|draw| draw.sig.name).collect();
        not_found(cx, "distribution", callee, draw::alias(&callee.name), false, &known);
        return Err(Reported);
    };
    let settings = ops::attrs::attrs(ev, &def.sig, args, expr.span)?;
    let settings: Vec<AttrValue> = settings.into_iter().map(|(value, _)| value).collect();
    if draw::open_size(&settings) {
        let d = Diagnostic::error("call::range", "a draw has a shape", expr.span, "-1 leaves a size open");
        return ev.fail(d.help("write every size: `shape=[B, 64]`"));
    }
    ev.at(expr.span);
    let value = def.build(ev.lib, ev.b, site, &settings, expr.span);
    let text = format!("`{}` is {}", name.name, ev.b.ty(value));
    ev.scope.note(value, None, name.span, text);
    Ok(value)
}
