//! A layer as a setting of another: `Bidirectional(LSTM(64))`.

use super::{attrs, wrong_kind};
use crate::diag::{Diagnostic, did_you_mean};
use crate::ops::formula::{Checked, Eval, Scope};
use crate::ops::layers::{alias, layer as find, layers};
use crate::ops::sig::{Attr, AttrValue, Inner, Sig};
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

/// One of `choice`, or any layer if that is empty.
pub(super) fn layer<S: Scope>(
    ev: &mut Eval<'_, S>,
    sig: &Sig,
    attr: &Attr,
    expr: &Expr,
    choice: &[&str],
) -> Checked<AttrValue> {
    let bare = expr.bare();
    let (callee, args): (&Expr, &[Arg]) = match &bare.kind {
        ExprKind::Call { callee, args } => (callee, args),
        ExprKind::As { stage, path } => {
            let name = path.dotted();
            let message =
                format!("`{}` and its `{}` are one layer, so they have one name", sig.name, attr.name);
            let d = Diagnostic::error("call::type", message, path.span, "named inside");
            let outer = format!("{}({}) as {name}", sig.name, written(stage));
            return ev.fail(d.help(format!("put the name behind the whole: `{outer}`")));
        }
        _other => (bare, &[]),
    };
    let Some(name) = callee.as_name() else {
        let found = ev.eval(expr)?;
        return wrong_kind(ev, sig, attr, expr, &found, "a layer");
    };
    let known = find(&name.name).map(|def| def.sig());
    let Some(inner) = known.filter(|inner| choice.is_empty() || choice.contains(&inner.name)) else {
        return no_layer(ev, sig, attr, name, choice);
    };
    let attrs = attrs(ev, inner, args, expr.span)?;
    Ok(AttrValue::Layer(Box::new(Inner { name: inner.name, sig: inner, attrs, span: expr.span })))
}

/// The name that a stage begins with.
fn written(stage: &Expr) -> String {
    match &stage.bare().kind {
        ExprKind::Call { callee, .. } => format!("{}(…)", callee.dotted().unwrap_or_default()),
        _other => stage.dotted().unwrap_or_default(),
    }
}

fn no_layer<S: Scope, T>(
    ev: &mut Eval<'_, S>,
    sig: &Sig,
    attr: &Attr,
    name: &Ident,
    choice: &[&str],
) -> Checked<T> {
    let all: Vec<&str> = match choice {
        [] => layers().iter().map(|l| l.sig().name).collect(),
        words => words.to_vec(),
    };
    let what = if choice.is_empty() {
        "a layer of the library".to_string()
    } else {
        format!("one of {}", all.join(", "))
    };
    let message = format!("`{}` of `{}` is {what}, not `{}`", attr.name, sig.name, name.name);
    let d = Diagnostic::error("call::choice", message, name.span, "none of them");
    let ours = alias(&name.name).filter(|ours| all.contains(ours));
    let near = ours
        .map(str::to_string)
        .or_else(|| did_you_mean(&name.name, all.iter().copied()).map(|n| n.to_string()));
    ev.fail(match near {
        Some(near) => d.help(format!("write `{near}`")).fix(format!("write `{near}`"), name.span, near),
        None => d.help(format!("write {what} with its settings in parentheses")),
    })
}
