//! Folds take movement into their axes.

use super::push::{Move, push};
use super::regroup::regroup;
use crate::base::{Dim, Shape, TensorType};
use crate::graph::{Fold, Prim, Value};
use crate::opt::rewrite::Rebuild;

pub fn rule(r: &mut Rebuild, fold: Fold, axes: &[usize], input: Value, ty: &TensorType) -> Option<Value> {
    match r.prim(input).clone() {
        Prim::Broadcast { input: x, axes: kept } => Some(of_broadcast(r, fold, axes, input, x, &kept, ty)),
        Prim::Reduce { fold: first, axes: inner, input: x } if first == fold && r.is_used_once(input) => {
            Some(of_reduce(r, fold, axes, &inner, x))
        }
        Prim::Permute { input: x, perm } => {
            let from: Vec<usize> = axes.iter().map(|&a| perm[a]).collect();
            let left: Vec<usize> = perm.iter().copied().filter(|a| !from.contains(a)).collect();
            let mut sorted = left.clone();
            sorted.sort_unstable();
            let order = left.iter().map(|a| sorted.iter().position(|s| s == a).expect("opt: a kept axis"));
            let order = order.collect();
            let folded = r.b.reduce(fold, x, &from);
            Some(push(r, folded, Move::Permute(order)))
        }
        Prim::Reshape { input: x } => of_reshape(r, fold, axes, input, x, ty),
        _ => None,
    }
}

/// Folding repeats multiplies a sum and leaves a maximum.
fn of_broadcast(
    r: &mut Rebuild,
    fold: Fold,
    axes: &[usize],
    wide: Value,
    x: Value,
    kept: &[usize],
    ty: &TensorType,
) -> Value {
    let repeats = axes.iter().filter(|a| !kept.contains(a));
    let count = repeats.fold(Dim::one(), |n, &a| n * r.b.shape(wide)[a].clone());
    if count == Dim::zero() {
        return r.b.reduce(fold, wide, axes);
    }
    let inner: Vec<usize> = (0..kept.len()).filter(|&i| axes.contains(&kept[i])).collect();
    let mut folded = r.b.reduce(fold, x, &inner);
    match fold {
        Fold::Sum if !count.is_one() => {
            let count = r.b.size(&count);
            folded = r.b.mul(folded, count);
        }
        Fold::Sum | Fold::Max => {}
    }
    let left = |a: usize| a - axes.iter().filter(|&&x| x < a).count();
    let stay: Vec<usize> = kept.iter().filter(|a| !axes.contains(a)).map(|&a| left(a)).collect();
    r.b.broadcast(folded, ty.shape.clone(), &stay)
}

/// A fold of a fold is one fold of both sets of axes.
fn of_reduce(r: &mut Rebuild, fold: Fold, axes: &[usize], inner: &[usize], x: Value) -> Value {
    let left: Vec<usize> = (0..r.rank(x)).filter(|a| !inner.contains(a)).collect();
    let both: Vec<usize> = axes.iter().map(|&a| left[a]).chain(inner.iter().copied()).collect();
    r.b.reduce(fold, x, &both)
}

/// Folds before reshaping where the reshape keeps folded and kept axes apart.
fn of_reshape(
    r: &mut Rebuild,
    fold: Fold,
    axes: &[usize],
    flat: Value,
    x: Value,
    ty: &TensorType,
) -> Option<Value> {
    let (from, to): (Shape, Shape) = (r.b.shape(x).clone(), r.b.shape(flat).clone());
    let mut inner = Vec::new();
    for group in regroup(&from, &to)? {
        let folded = group.to.clone().filter(|a| axes.contains(a)).count();
        // An axis of size 1 that the reshape made is folded by leaving it out.
        if folded > 0 && folded < group.to.len() {
            return None;
        }
        if folded > 0 {
            inner.extend(group.from);
        }
    }
    let folded = r.b.reduce(fold, x, &inner);
    Some(push(r, folded, Move::Reshape(ty.shape.clone())))
}
