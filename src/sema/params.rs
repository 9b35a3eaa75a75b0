//! `param` and `dim`: types, values, domains.

use super::consts::{item, kind};
use super::ctx::Ctx;
use super::job::ParamValue;
use super::walk;
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::ops::formula::{Item, Number};
use crate::syntax::ast::{self, DimBound, Expr, ExprKind, Ident, ItemKind};
use std::collections::BTreeSet;
use std::sync::Arc;

const TYPES: [&str; 4] = ["int", "float", "bool", "str"];

/// Evaluates params and dims, each behind those that it uses; the answer is in the order of the text.
pub(super) fn check(cx: &Ctx, file: &ast::File) -> Vec<(String, ParamValue)> {
    let mut all = Vec::new();
    let mut waiting: Vec<_> = file.items.iter().enumerate().filter_map(uses).collect();
    while !waiting.is_empty() {
        let names: BTreeSet<Arc<str>> = waiting.iter().map(|w| w.name.name.clone()).collect();
        let ready = waiting.iter().position(|w| !w.uses.iter().any(|u| names.contains(*u)));
        let Some(ready) = ready else {
            cycle(cx, &waiting);
            break;
        };
        let Waiting { place, item, name, .. } = waiting.remove(ready);
        let value = match &item.kind {
            ItemKind::Param { ty, value, domain, .. } => param(cx, name, ty.as_ref(), value, domain.as_ref()),
            ItemKind::Dim { bound, value, .. } => dim(cx, name, *bound, value),
            _ => unreachable!("params: only params and dims wait"),
        };
        if let Some(value) = &value {
            cx.facts.value(name.span, value);
        }
        all.extend(value.clone().map(|v| (place, name.name.to_string(), v)));
        cx.values.borrow_mut().insert(name.name.clone(), value);
    }
    all.sort_by_key(|(place, ..)| *place);
    all.into_iter().map(|(_, name, value)| (name, value)).collect()
}

/// A param or dim, and the names that its value needs first.
struct Waiting<'a> {
    place: usize,
    item: &'a ast::Item,
    name: &'a Ident,
    uses: BTreeSet<&'a str>,
}

fn uses((place, item): (usize, &ast::Item)) -> Option<Waiting<'_>> {
    let (ItemKind::Param { name, .. } | ItemKind::Dim { name, .. }) = &item.kind else { return None };
    let uses = match &item.kind {
        // Bare words may be strings here: `param act: str = relu`.
        ItemKind::Param { ty: Some(ty), .. } if &*ty.name.name == "str" => BTreeSet::new(),
        _ => walk::names_in(|f| walk::item(item, f)),
    };
    Some(Waiting { place, item, name, uses })
}

/// Nothing of what waits has a value: each needs another of them, or itself.
fn cycle(cx: &Ctx, waiting: &[Waiting]) {
    let poisoned = waiting.iter().map(|w| (w.name.name.clone(), None));
    cx.values.borrow_mut().extend(poisoned);
    // Only what the circle itself is made of is wrong: from anywhere, as many steps as there are
    // names end inside it.
    let next = |w: &Waiting| waiting.iter().position(|n| w.uses.contains(&*n.name.name));
    let mut at = 0;
    for _ in 0..waiting.len() {
        at = next(&waiting[at]).expect("params: what waits uses what waits");
    }
    let (first, second) = (waiting[at].name, next(&waiting[at]).unwrap_or(at));
    let second = waiting[second].name;
    let message = format!("`{}` needs its own value", first.name);
    let mut d = Diagnostic::error("param::cycle", message, first.span, "its value goes round in a circle");
    if first.name != second.name {
        d = d.label(second.span, "by way of this");
    }
    cx.report(d.help("give one of the names in the circle a value of its own"));
}

fn dim(cx: &Ctx, name: &Ident, _: DimBound, value: &Expr) -> Option<ParamValue> {
    cx.count(&name.name, value, 1).map(ParamValue::Int)
}

fn param(
    cx: &Ctx,
    name: &Ident,
    ty: Option<&ast::Type>,
    value: &Expr,
    domain: Option<&Expr>,
) -> Option<ParamValue> {
    let declared = ty.map(|ty| type_name(cx, ty));
    // A bare word is a string where a string is wanted: `param act: str = relu`.
    let found = match (&declared, value.as_name()) {
        (Some(Some("str")), Some(word)) if cx.value(&word.name).is_none() => {
            Item::Text(word.name.to_string())
        }
        _ => cx.constant(value)?,
    };
    let declared = match declared {
        Some(known) => known?,
        None => kind(&found),
    };
    let Some(typed) = convert(&found, declared) else {
        let message = format!("`{}` is {}, but its value is {}", name.name, declared, kind(&found));
        let mut d =
            Diagnostic::error("param::type", message, value.span, format!("this is {}", kind(&found)));
        if let Some(ty) = ty.filter(|t| t.span.file == value.span.file) {
            d = d.label(ty.span, format!("declared {declared} here"));
        }
        cx.report(d.help(format!("write a value of type {declared}, or change the type")));
        return None;
    };
    match domain {
        Some(domain) if !within(cx, declared, &typed, domain)? => {
            outside(cx, name, &typed, value.span, domain);
            None
        }
        _ => Some(typed),
    }
}

fn type_name<'t>(cx: &Ctx, ty: &'t ast::Type) -> Option<&'t str> {
    if TYPES.contains(&&*ty.name.name) && ty.shape.is_none() && ty.args.is_empty() {
        return Some(&ty.name.name);
    }
    let message = format!("there is no param type `{}`", cx.text(ty.span));
    let d = Diagnostic::error("param::type", message, ty.span, "not a type of a param");
    cx.report(super::ctx::suggest(d, "type", &ty.name, TYPES));
    None
}

/// The value as the declared type has it; whole numbers are floats too.
fn convert<E>(found: &Item<E>, declared: &str) -> Option<ParamValue> {
    match (found, declared) {
        (Item::Number(Number::Int(n)), "int") => n.as_const().map(ParamValue::Int),
        (Item::Number(n), "float") => n.as_f64().map(ParamValue::Float),
        (Item::Bool(x), "bool") => Some(ParamValue::Bool(*x)),
        (Item::Text(text), "str") => Some(ParamValue::Str(text.clone())),
        _ => None,
    }
}

/// Whether the domain holds the value; `None` if the domain itself is wrong.
fn within(cx: &Ctx, declared: &str, value: &ParamValue, domain: &Expr) -> Option<bool> {
    match &domain.bare().kind {
        ExprKind::List(items) => {
            let all: Option<Vec<ParamValue>> = items.iter().map(|i| member(cx, declared, i)).collect();
            Some(all?.contains(value))
        }
        ExprKind::Range(from, to) => {
            let (from, to) = (bound(cx, from), bound(cx, to));
            let (from, to) = (from?, to?);
            let x = item::<()>(value.clone());
            match x {
                Item::Number(n) => n.as_f64().map(|x| from <= x && x <= to),
                _ => {
                    cx.wants("in", "a list of values, as the param is no number,", "range", domain.span);
                    None
                }
            }
        }
        ExprKind::Broken => None,
        _ => {
            cx.wants("in", "`[a, b, …]` or `a..b`", "value", domain.span);
            None
        }
    }
}

fn member(cx: &Ctx, declared: &str, expr: &Expr) -> Option<ParamValue> {
    let found = match (declared, expr.as_name()) {
        ("str", Some(word)) => Item::Text(word.name.to_string()),
        _ => cx.constant(expr)?,
    };
    let value = convert(&found, declared);
    if value.is_none() {
        cx.wants("in", &format!("values of type {declared}"), kind(&found), expr.span);
    }
    value
}

fn bound(cx: &Ctx, expr: &Expr) -> Option<f64> {
    cx.real("in", expr, f64::NEG_INFINITY, f64::INFINITY)
}

fn outside(cx: &Ctx, name: &Ident, value: &ParamValue, at: Span, domain: &Expr) {
    let shown = match value {
        ParamValue::Int(n) => n.to_string(),
        ParamValue::Float(x) => format!("{x}"),
        ParamValue::Bool(x) => x.to_string(),
        ParamValue::Str(text) => format!("\"{text}\""),
    };
    let allowed = cx.text(domain.span);
    cx.report(
        Diagnostic::error(
            "param::domain",
            format!("`{}` cannot be {shown}", name.name),
            at,
            format!("not in {allowed}"),
        )
        .label(domain.span, "the values that it may take")
        .help(format!("choose from {allowed}, or widen the domain")),
    );
}
