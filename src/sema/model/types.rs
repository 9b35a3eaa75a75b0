//! Declared types against what tensors really are.

use super::{Elab, Entity, Ev};
use crate::base::{DType, Dim, Shape, Span, TensorType};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::Value;
use crate::ops::formula::{
    Bound, Checked, Item, Mismatch, Number, Operand, Pattern, PatternSize, Reported, tensor_of, unify,
};
use crate::sema::ctx::Ctx;
use crate::syntax::ast::{Expr, ExprKind, SizeExpr, Type};

/// What a declared type is for, in messages.
#[derive(Clone, Copy)]
pub(super) struct Declared<'t> {
    pub ty: &'t Type,
    /// `` `logits` ``
    pub name: &'t str,
    /// Where the value stands.
    pub at: Span,
}

/// A size that a type names, if it is fixed outside the type.
fn known(cx: &Ctx, names: &super::Names, expr: &Expr) -> Option<Number> {
    let number = |item: Item<Entity>| match item {
        Item::Number(n) => Some(n),
        _ => None,
    };
    match &expr.bare().kind {
        ExprKind::Name(name) if &*name.name == "B" => Some(Number::Int(Dim::sym("B"))),
        ExprKind::Name(name) => match names.get(&name.name) {
            Some(item) => item.clone().and_then(number),
            None => cx.value(&name.name).map(crate::sema::consts::item).and_then(number),
        },
        ExprKind::Member(base, member) => cx.data_size(base, member)?.map(Number::Int),
        _ => None,
    }
}

/// Reads a declared type.
pub(super) fn pattern(ev: &mut Ev, ty: &Type) -> Checked<Pattern> {
    let mut found = Diagnostics::new();
    let (cx, names) = (ev.scope.cx, &ev.scope.names);
    let pattern = misspelt_sizes(cx, names, ty, &mut found)
        .and_then(|()| Pattern::from_ast(ty, &|e| known(cx, names, e), &mut found));
    ev.diags.extend(found.sorted());
    pattern
}

/// `None` of Keras, -1 of PyTorch.
fn is_batch_of_others(expr: &Expr) -> bool {
    match &expr.bare().kind {
        ExprKind::Name(name) => &*name.name == "None",
        ExprKind::Neg(inner) => inner.kind == ExprKind::Int(1),
        ExprKind::Int(n) => *n == -1,
        _other => false,
    }
}

/// A size that only one place names binds nothing that anybody reads: near the name of a param
/// or dim, it is a typo of it.
fn misspelt_sizes(cx: &Ctx, names: &super::Names, ty: &Type, diags: &mut Diagnostics) -> Checked<()> {
    let mut ok = Ok(());
    for size in ty.shape.iter().flatten() {
        let SizeExpr::Size(expr) = size else { continue };
        if is_batch_of_others(expr) {
            let message = format!("`{}` is no size: the batch is called `B`", cx.text(expr.span));
            diags.push(
                Diagnostic::error(
                    "name::foreign",
                    message,
                    expr.span,
                    "the name that another framework gives it",
                )
                .help("write `B`: it is the number of rows of a batch, whatever that is")
                .fix("write `B`", expr.span, "B"),
            );
            ok = Err(Reported);
            continue;
        }
        if let ExprKind::Member(base, member) = &expr.bare().kind
            && cx.data_size(base, member).is_none()
        {
            let message = format!("`{}` is no size", cx.text(expr.span));
            let d = Diagnostic::error("name::unknown", message, member.span, "not known here");
            diags.push(crate::sema::ctx::suggest(d, "size", member, ["features", "classes", "vocab"]));
            ok = Err(Reported);
            continue;
        }
        let Some(name) = expr.as_name() else { continue };
        if known(cx, names, expr).is_some() || names.contains_key(&name.name) || cx.is_poisoned(&name.name) {
            continue;
        }
        let values = cx.values.borrow();
        let long = values.keys().filter(|k| k.len() > 2).map(|k| &**k);
        if let Some(near) = crate::diag::did_you_mean(&name.name, long).filter(|_| name.name.len() > 2) {
            let message = format!("there is no size `{}`", name.name);
            diags.push(
                Diagnostic::error("name::unknown", message, name.span, "not known here")
                    .help(format!("did you mean `{near}`?"))
                    .fix(format!("write `{near}`"), name.span, near),
            );
            ok = Err(Reported);
        }
    }
    ok
}

/// Fits a value to its declared type, binding sizes that the type names.
pub(super) fn fit(
    ev: &mut Ev,
    item: Item<Entity>,
    pattern: &Pattern,
    bound: &mut Bound,
    declared: Declared,
) -> Checked<Value> {
    let operand = ev.as_operand(item, declared.at)?;
    ev.at(declared.at);
    let v = tensor_of(ev.b, &operand);
    let v = match (&operand, bound.shape(pattern)) {
        // A plain number takes the shape that is declared.
        (Operand::Number(_), Some(shape)) => ev.b.broadcast_to(v, &shape),
        _ => v,
    };
    let ty = ev.b.ty(v).clone();
    if pattern.dtype.is_some_and(|dtype| dtype != ty.dtype) {
        return wrong_dtype(ev, v, pattern, declared);
    }
    unify(pattern, &ty.shape, bound).map(|()| v).map_err(|why| {
        let wanted = bound.shape(pattern).map_or_else(|| pattern.to_string(), |s| format!("{}{s}", ty.dtype));
        let d = Diagnostic::error(
            "shape::declared",
            format!("{} is {wanted}, but its value is {ty}", declared.name),
            declared.at,
            format!("this is {ty}"),
        )
        .label(declared.ty.span, format!("declared {wanted} here"))
        .help(match why {
            Mismatch::Rank => rank_help(pattern, &ty),
            Mismatch::Size(axis, Some(size)) => {
                let size_help =
                    format!("axis {axis} is {}: make it {size}, or change the type", ty.shape[axis]);
                match bound.shape(pattern) {
                    Some(declared) if are_channels_first(&declared, &ty.shape) => format!(
                        "images are channels last here, [B, height, width, channels]: declare {}{}",
                        ty.dtype, ty.shape
                    ),
                    Some(_) | None => size_help,
                }
            }
            Mismatch::Size(axis, None) => {
                format!("axis {axis} is {}, which fits no whole size", ty.shape[axis])
            }
            Mismatch::Rest(name, dims) => format!("`..{name}` is {} already", Shape::from(dims)),
        });
        let d = ev.scope.explain(d, v);
        ev.diags.push(d);
        Reported
    })
}

/// The numbers of axes, and what is most often meant.
fn rank_help(pattern: &Pattern, ty: &TensorType) -> String {
    let wanted = pattern.sizes.len();
    let counts = format!("the type has {wanted} axes, the value {}", ty.rank());
    let one = |size: &PatternSize| matches!(size, PatternSize::Size(dim) if dim.as_const() == Some(1));
    match () {
        () if wanted == 2 && ty.rank() > 2 => {
            format!("{counts}: `Flatten` before the first layer makes one axis of all behind the batch")
        }
        () if wanted == ty.rank() + 1 && pattern.sizes.iter().skip(1).any(one) => {
            format!(
                "{counts}: declare it without the axis of size 1, and make that by `Reshape` where a layer wants it"
            )
        }
        () => counts,
    }
}

/// Whether the second axis of the one is the last of the other.
fn are_channels_first(declared: &Shape, found: &Shape) -> bool {
    let (declared, found) = (declared.dims(), found.dims());
    let (n, m) = (declared.len(), found.len());
    n == m && n >= 4 && declared[1] == found[n - 1] && declared[2..] == found[1..n - 1]
}

fn wrong_dtype<T>(ev: &mut Ev, v: Value, pattern: &Pattern, declared: Declared) -> Checked<T> {
    let ty = ev.b.ty(v).clone();
    let d = Diagnostic::error(
        "dtype::declared",
        format!("{} is {pattern}, but its value is {ty}", declared.name),
        declared.at,
        format!("this is {ty}"),
    )
    .label(declared.ty.span, format!("declared {pattern} here"));
    let wanted = pattern.dtype.map_or("f32", DType::name);
    let d = ev
        .scope
        .explain(d.help(format!("change the type to {}, or convert with `cast(…, {wanted})`", ty.dtype)), v);
    ev.fail(d)
}

/// The shape that a pattern has when each name in it stands for itself.
pub(super) fn rigid(pattern: &Pattern, bound: &mut Bound) -> TensorType {
    for name in pattern.names() {
        if bound.size(&name).is_none() {
            bound.set(&name, Dim::sym(&name));
        }
    }
    bound.close_rests(pattern);
    let named = |(axis, size): (usize, &PatternSize)| match size {
        PatternSize::Any => PatternSize::Size(Dim::sym(&format!("_{axis}"))),
        PatternSize::Size(dim) => PatternSize::Size(dim.clone()),
        PatternSize::Rest(name) => PatternSize::Rest(name.clone()),
    };
    let sizes = pattern.sizes.iter().enumerate().map(named).collect();
    let shape = bound.shape(&Pattern { sizes, ..pattern.clone() });
    TensorType {
        dtype: pattern.dtype.unwrap_or(DType::F32),
        shape: shape.expect("types: every name of the pattern is bound"),
    }
}

/// One row of a model's input as it is declared, if no size in it is open.
pub(in crate::sema) fn declared_row(cx: &Ctx, ty: &Type) -> Option<TensorType> {
    let mut unsaid = Diagnostics::new();
    let scope = Elab::new(cx, crate::ops::Mode::Eval);
    let pattern = Pattern::from_ast(ty, &|e| known(cx, &scope.names, e), &mut unsaid).ok()?;
    let shape = Bound::new().shape(&pattern)?;
    (shape.rank() > 0)
        .then(|| TensorType { dtype: pattern.dtype.unwrap_or(DType::F32), shape: shape.without(&[0]) })
}
