//! Numbers for the axes of an image: how large a kernel is, how far it steps, what is added at the sides.

use super::{AttrValue, Checked, Eval, Scope, check_range};
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::ops::sig::{Attr, AttrType, Sig};
use crate::syntax::ast::{Expr, ExprKind};

/// A single number as the setting's type has it: for one axis, for both, for all sides.
pub(super) fn spread(ty: AttrType, n: Dim) -> AttrValue {
    match ty {
        AttrType::Pair { .. } => AttrValue::Sizes(vec![n; 2]),
        AttrType::Sides => AttrValue::Sizes(vec![n; 4]),
        AttrType::Size { .. }
        | AttrType::Sizes
        | AttrType::Int { .. }
        | AttrType::Float { .. }
        | AttrType::Bool
        | AttrType::Choice(_)
        | AttrType::Activation
        | AttrType::Init
        | AttrType::Metric
        | AttrType::Str
        | AttrType::Choices(_)
        | AttrType::Cell
        | AttrType::Layer(_) => AttrValue::Size(n),
    }
}

/// `3` for both axes, or `(3, 5)`.
pub(super) fn pair<S: Scope>(
    ev: &mut Eval<'_, S>,
    sig: &Sig,
    attr: &Attr,
    expr: &Expr,
) -> Checked<AttrValue> {
    two(ev, sig, attr, expr, "one number for both axes, or two: `(3, 5)`").map(AttrValue::Sizes)
}

/// `1` for all sides, `(1, 2)` for both of each axis, or `((0, 1), (2, 2))`.
pub(super) fn sides<S: Scope>(
    ev: &mut Eval<'_, S>,
    sig: &Sig,
    attr: &Attr,
    expr: &Expr,
) -> Checked<AttrValue> {
    let wanted = "one number for all sides, two for the axes, or a pair for each: `((0, 1), (2, 2))`";
    let each: Vec<Checked<Vec<Dim>>> = match items(expr) {
        None => vec![two(ev, sig, attr, expr, wanted); 2],
        Some([rows, columns]) => {
            [rows, columns].map(|axis| two(ev, sig, attr, axis, "one number, or two: `(0, 1)`")).into()
        }
        Some(_) => vec![miscounted(ev, sig, attr, expr, wanted)],
    };
    let each = each.into_iter().collect::<Checked<Vec<_>>>()?;
    Ok(AttrValue::Sizes(each.concat()))
}

/// One number twice, or two.
fn two<S: Scope>(
    ev: &mut Eval<'_, S>,
    sig: &Sig,
    attr: &Attr,
    expr: &Expr,
    wanted: &str,
) -> Checked<Vec<Dim>> {
    match items(expr) {
        None => number(ev, sig, attr, expr).map(|n| vec![n; 2]),
        Some([first, second]) => {
            let both = [first, second].map(|e| number(ev, sig, attr, e));
            both.into_iter().collect()
        }
        Some(_) => miscounted(ev, sig, attr, expr, wanted),
    }
}

fn items(expr: &Expr) -> Option<&[Expr]> {
    match &expr.bare().kind {
        ExprKind::List(items) | ExprKind::Tuple(items) => Some(items),
        _other => None,
    }
}

fn number<S: Scope>(ev: &mut Eval<'_, S>, sig: &Sig, attr: &Attr, expr: &Expr) -> Checked<Dim> {
    let dim = ev.size(expr)?;
    match dim.as_const().map(|n| check_range(sig, attr, n as f64, expr.span)) {
        None | Some(Ok(())) => Ok(dim),
        Some(Err(d)) => ev.fail(d),
    }
}

fn miscounted<S: Scope, T>(
    ev: &mut Eval<'_, S>,
    sig: &Sig,
    attr: &Attr,
    expr: &Expr,
    wanted: &str,
) -> Checked<T> {
    let message = format!("`{}` of `{}` is {wanted}", attr.name, sig.name);
    let d = Diagnostic::error("call::type", message, expr.span, "another number of numbers");
    ev.fail(d.help(format!("write {wanted}")))
}
