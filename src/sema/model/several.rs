//! Functions of models that take any number of tensors, give several, or know what a model knows: a table.

use super::pipe::Inputs;
use super::{Entity, Ev, attend, concat, einsum, masks};
use crate::base::{DType, Dim, Span};
use crate::diag::Diagnostic;
use crate::graph::Value;
use crate::ops::formula::{ArgSource, Checked, Given, Item, Slot, bind, tensor_of};
use crate::syntax::ast::{Arg, Expr, ExprKind};

pub(super) type Found = Checked<Item<Entity>>;

/// A function of the language that no formula has.
pub struct Function {
    pub name: &'static str,
    /// What it is called with, for whoever reads.
    pub params: &'static [&'static str],
    pub doc: &'static str,
    pub(super) build: fn(&mut Ev, Inputs, &[Arg], Span) -> Found,
}

pub static FUNCTIONS: &[Function] = &[
    Function {
        name: "concat",
        params: &["a", "b", "axis=-1"],
        doc: "Tensors side by side, as many as there are: `concat(a, b, axis=-1)`.",
        build: concat::concat,
    },
    Function {
        name: "stack",
        params: &["a", "b", "axis=-1"],
        doc: "Tensors of one shape along a new axis: `stack(a, b)` of `f32[B, 3]` is `f32[B, 3, 2]`, with `axis=1` \
              `f32[B, 2, 3]`.",
        build: concat::stack,
    },
    Function {
        name: "split",
        params: &["x", "parts", "axis=-1"],
        doc: "A tensor in equal parts, or in parts of given sizes: `let q, k, v = x |> split(3)`, `x |> split([2, 4])`.",
        build: split,
    },
    Function {
        name: "topk",
        params: &["x", "k"],
        doc: "The `k` largest of the last axis, largest first, and their `i32` places: `let values, places = topk(x, 3)`. Of \
              equals the first counts. Takes k passes, so k is meant to be small.",
        build: topk,
    },
    Function {
        name: "einsum",
        params: &["equation", "a", "b"],
        doc: "Sums of products by the names of axes: `einsum(\"bij,bjk->bik\", a, b)`. Any number of tensors; a name twice in \
              one is its diagonal, names that the result lacks are summed, `...` are axes in front.",
        build: einsum::einsum,
    },
    Function {
        name: "padding",
        params: &["x"],
        doc: "Which steps of a sequence count, `f32[B, T]`: 1 where the id is not 0, or the mask that the tensor has.",
        build: masks::padding,
    },
    Function {
        name: "attend",
        params: &["q", "k", "v", "heads=1", "mask", "dropout=0", "kv_heads", "scale"],
        doc: "Attention (Vaswani et al., 2017): each step of `q: f32[B, T, n]` takes means of the steps of `v: f32[B, S, m]`, \
              weighed by softmax(scale * q k). `heads` cut the features; with fewer `kv_heads` several heads share keys and \
              values. `mask` is `causal`, `padding(x)`, a tensor `[T, S]`, `[B, S]` or `[B, T, S]` (1 keeps), or a list of \
              them; masks of `k` hold anyway. `scale` is 1 / sqrt(width of a head) unless said.",
        build: attend::attend,
    },
];

pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|f| f.name == name)
}

pub(super) type Argument<'a> = Given<ArgSource<'a, Entity>>;

/// Arguments by their names in a signature: what came by the pipe first.
pub(super) fn bound<'a>(
    ev: &mut Ev,
    callee: &str,
    slots: &[Slot],
    leading: Inputs,
    args: &'a [Arg],
    span: Span,
) -> Checked<Vec<Option<Argument<'a>>>> {
    let piped =
        leading.into_iter().map(|g| Given { name: g.name, value: ArgSource::Item(g.value), span: g.span });
    let written = args.iter().map(|a| Given {
        name: a.name.clone(),
        value: ArgSource::Expr(&a.value),
        span: a.value.span,
    });
    bind(callee, span, slots, piped.chain(written).collect(), ev.diags)
}

/// An argument as a tensor.
pub(super) fn tensor(ev: &mut Ev, argument: Argument) -> Checked<Value> {
    let item = match argument.value {
        ArgSource::Item(item) => item,
        ArgSource::Expr(expr) => ev.eval(expr)?,
    };
    let operand = ev.as_operand(item, argument.span)?;
    ev.at(argument.span);
    Ok(tensor_of(ev.b, &operand))
}

/// An argument as a size.
pub(super) fn size(ev: &mut Ev, callee: &str, argument: &Argument) -> Checked<Dim> {
    match &argument.value {
        ArgSource::Expr(expr) => ev.size(expr),
        ArgSource::Item(_) => {
            let message = format!("`{callee}` takes its tensors by the pipe, and this is one too many");
            let d = Diagnostic::error("call::many", message, argument.span, "a number is needed here");
            ev.fail(d.help("let one tensor flow in"))
        }
    }
}

/// An axis behind the batch, counted from the front.
pub(super) fn axis(ev: &mut Ev, callee: &str, argument: Option<&Argument>, x: Value) -> Checked<usize> {
    let rank = ev.b.shape(x).rank() as i64;
    let said = match argument {
        None => -1,
        Some(argument) => size(ev, callee, argument)?.as_const().unwrap_or(i64::MAX),
    };
    let from_front = if said < 0 { said + rank } else { said };
    if (1..rank).contains(&from_front) {
        return Ok(from_front as usize);
    }
    let ty = ev.b.ty(x).to_string();
    let at = argument.map_or_else(Default::default, |a| a.span);
    let d =
        Diagnostic::error("shape::axis", format!("`{callee}` has no such axis in {ty}"), at, "no such axis");
    ev.fail(d.help("choose an axis behind the batch: -1 is the last"))
}

const fn needs(name: &str) -> Slot<'_> {
    Slot { name, required: true }
}

const fn takes(name: &str) -> Slot<'_> {
    Slot { name, required: false }
}

fn split(ev: &mut Ev, leading: Inputs, args: &[Arg], span: Span) -> Found {
    let slots = [needs("x"), needs("parts"), takes("axis")];
    let mut given = bound(ev, "split", &slots, leading, args, span)?;
    let x = tensor(ev, given[0].take().expect("bind: required"))?;
    let axis = axis(ev, "split", given[2].as_ref(), x)?;
    let parts = given[1].take().expect("bind: required");
    let size = ev.b.shape(x)[axis].clone();
    let sizes = sizes(ev, &parts, &size)?;
    ev.at(span);
    let mut before = Dim::zero();
    let mut made = Vec::new();
    for size in sizes {
        let part = ev.b.slice_axis(x, axis, before.clone(), size.clone());
        before = before + size;
        let text = format!("a part of `split` is {}", ev.b.ty(part));
        ev.scope.note(part, Some(x), span, text);
        masks::of_function(ev, "split", Some(x), part);
        made.push(Item::Tensor(part));
    }
    Ok(if made.len() == 1 { made.remove(0) } else { Item::Tuple(made) })
}

/// How long the parts are: a list says so, a number makes equal ones.
fn sizes(ev: &mut Ev, parts: &Argument, whole: &Dim) -> Checked<Vec<Dim>> {
    let list: Option<&[Expr]> = match &parts.value {
        ArgSource::Expr(expr) => match &expr.bare().kind {
            ExprKind::List(items) | ExprKind::Tuple(items) => Some(items),
            _ => None,
        },
        ArgSource::Item(_) => None,
    };
    let Some(items) = list else {
        let count = size(ev, "split", parts)?;
        let each = whole.div_exact(&count);
        return match (count.as_const().filter(|n| (1..=1024).contains(n)), each) {
            (Some(n), Some(each)) => Ok(vec![each; n as usize]),
            (_, _) => uneven(ev, parts.span, &format!("{count} equal parts"), whole),
        };
    };
    let sizes = items.iter().map(|e| ev.size(e)).collect::<Checked<Vec<_>>>()?;
    let sum = sizes.iter().fold(Dim::zero(), |n, d| n + d.clone());
    let positive = sizes.iter().all(|d| d.as_const().is_none_or(|n| n > 0));
    if sum == *whole && positive && !sizes.is_empty() {
        Ok(sizes)
    } else {
        uneven(ev, parts.span, "these parts", whole)
    }
}

fn uneven<T>(ev: &mut Ev, at: Span, parts: &str, whole: &Dim) -> Checked<T> {
    let d = Diagnostic::error(
        "shape::split",
        format!("{whole} cannot be cut into {parts}"),
        at,
        "does not come out even",
    );
    ev.fail(d.help(format!(
        "give a number that divides {whole}, or a list of sizes whose sum it is: `split([2, 4])`"
    )))
}

/// k passes: the largest, its first place, and that place out of the way.
fn topk(ev: &mut Ev, leading: Inputs, args: &[Arg], span: Span) -> Found {
    let slots = [needs("x"), needs("k")];
    let mut given = bound(ev, "topk", &slots, leading, args, span)?;
    let x = tensor(ev, given[0].take().expect("bind: required"))?;
    let at = given[1].take().expect("bind: required");
    let k = size(ev, "topk", &at)?;
    let axis = axis(ev, "topk", None, x)?;
    let n = ev.b.shape(x)[axis].clone();
    let fits = |k: &i64| *k >= 1 && *k <= 256 && n.as_const().is_none_or(|n| *k <= n);
    let Some(k) = k.as_const().filter(fits) else {
        let message = format!("`topk` cannot take {k} of {n}");
        let d = Diagnostic::error("call::range", message, at.span, "out of range");
        return ev.fail(d.help("choose from 1 to the size of the last axis, at most 256"));
    };
    ev.at(span);
    let b = &mut *ev.b;
    let x = if b.dtype(x) == DType::F32 { x } else { b.to_f32(x) };
    let (mut left, lowest) = (b.stop(x), b.constant(f64::from(f32::MIN)));
    let (mut values, mut places) = (Vec::new(), Vec::new());
    for _ in 0..k {
        let place = first_largest(b, left, axis);
        let here = b.one_hot(place, &n);
        let zero = b.constant(0.0);
        let alone = b.select(here, x, zero);
        values.push(b.sum(alone, &[axis]));
        places.push(place);
        left = b.select(here, lowest, left);
    }
    let [values, places] = [values, places].map(|all| concat::joined_anew(b, &all, axis));
    Ok(Item::Tuple(vec![Item::Tensor(values), Item::Tensor(places)]))
}

/// The first place of the largest along the last axis.
fn first_largest(b: &mut crate::graph::Builder, x: Value, axis: usize) -> Value {
    let shape = b.shape(x).clone();
    let largest = b.max_keep(x, &[axis]);
    let places = b.iota(shape.clone(), axis);
    let places = b.to_f32(places);
    let places = b.neg(places);
    let behind = b.size(&shape[axis]);
    let behind = b.neg(behind);
    let stands = b.eq(x, largest);
    let candidates = b.select(stands, places, behind);
    let first = b.max_of(candidates, &[axis]);
    let first = b.neg(first);
    b.to_i32(first)
}
