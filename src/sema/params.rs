//! `param` and `dim`: types, values, domains.

use super::consts::{item, kind};
use super::ctx::Ctx;
use super::job::ParamValue;
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::ops::formula::{Item, Number};
use crate::syntax::ast::{self, DimBound, Expr, ExprKind, Ident, ItemKind};

const TYPES: [&str; 4] = ["int", "float", "bool", "str"];

/// Evaluates params and dims in the order of the text; later ones may use earlier ones.
pub(super) fn check(cx: &Ctx, file: &ast::File) -> Vec<(String, ParamValue)> {
    let mut all = Vec::new();
    for entry in &file.items {
        let (name, value) = match &entry.kind {
            ItemKind::Param { name, ty, value, domain } => {
                (name, param(cx, name, ty.as_ref(), value, domain.as_ref()))
            }
            ItemKind::Dim { name, bound, value } => (name, dim(cx, name, *bound, value)),
            _ => continue,
        };
        all.extend(value.clone().map(|v| (name.name.to_string(), v)));
        cx.values.borrow_mut().insert(name.name.clone(), value);
    }
    all
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
