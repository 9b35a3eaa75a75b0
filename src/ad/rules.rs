//! What each primitive hands back: the gradient of its inputs from that of its result.

use super::windows::{first_of_equals, unwindow};
use crate::base::{Dim, Shape};
use crate::graph::{Builder, Einsum, Fold, Prim, Value};

/// The share of each input in `dy`, the gradient of `y`; `None` where nothing flows or
/// `wanted` is false and the share would cost nodes.
pub fn pull(b: &mut Builder, prim: &Prim, y: Value, dy: Value, wanted: &[bool]) -> Vec<Option<Value>> {
    match prim {
        Prim::Leaf(_) | Prim::Const(_) | Prim::Size(_) | Prim::Iota { .. } | Prim::Random { .. } => vec![],
        Prim::Map { op, inputs } => {
            let shares = inputs.iter().zip(op.info().grads).zip(wanted);
            shares
                .map(|((&x, grad), &wanted)| {
                    let dx = wanted.then(|| grad(b, inputs, y, dy)).flatten()?;
                    Some(fit(b, dx, x))
                })
                .collect()
        }
        Prim::Reduce { fold, axes, input } => vec![Some(reduce(b, *fold, axes, *input, y, dy))],
        Prim::Contract { spec, inputs: [lhs, rhs] } => {
            // A label of an operand is in the output or in the other operand, so each
            // gradient is again a contraction.
            let Einsum { lhs: l, rhs: r, out, precision } = spec.clone();
            let to_lhs = Einsum { lhs: out.clone(), rhs: r.clone(), out: l.clone(), precision };
            let to_rhs = Einsum { lhs: l, rhs: out, out: r, precision };
            vec![wanted[0].then(|| b.einsum(to_lhs, dy, *rhs)), wanted[1].then(|| b.einsum(to_rhs, *lhs, dy))]
        }
        Prim::Reshape { input } => {
            let shape = b.shape(*input).clone();
            vec![Some(b.reshape(dy, shape))]
        }
        Prim::Permute { perm, .. } => {
            let mut back = vec![0; perm.len()];
            perm.iter().enumerate().for_each(|(to, &from)| back[from] = to);
            vec![Some(b.permute(dy, &back))]
        }
        Prim::Broadcast { axes, .. } => {
            let repeated: Vec<usize> = (0..b.shape(dy).rank()).filter(|a| !axes.contains(a)).collect();
            vec![Some(b.sum(dy, &repeated))]
        }
        Prim::Slice { input, start, step } => {
            let whole = b.shape(*input).clone();
            vec![Some(unslice(b, dy, start, step, &whole))]
        }
        Prim::Pad { input, lo, inner, .. } => {
            let shape = b.shape(*input).clone();
            let step = inner.iter().map(|n| n + 1).collect();
            vec![Some(b.slice(dy, lo.clone(), step, shape))]
        }
        Prim::Window { input, axis, size, stride, dilation } => {
            let whole = b.shape(*input)[*axis].clone();
            vec![Some(unwindow(b, dy, *axis, &whole, [*size, *stride, *dilation]))]
        }
        Prim::Gather { inputs: [table, index] } => {
            let shape = b.shape(*table).clone();
            vec![wanted[0].then(|| b.scatter(shape, *index, dy)), None]
        }
        Prim::Scan { .. } => unreachable!("ad: scans have a module of their own"),
        Prim::Scatter { inputs: [index, _] } => vec![None, Some(b.gather(dy, *index))],
    }
}

/// Sums the gradient of a rank-0 operand that was used everywhere.
fn fit(b: &mut Builder, dx: Value, x: Value) -> Value {
    if b.shape(x).rank() == 0 { b.sum_all(dx) } else { dx }
}

fn reduce(b: &mut Builder, fold: Fold, axes: &[usize], x: Value, y: Value, dy: Value) -> Value {
    let shape = b.shape(x).clone();
    let kept: Vec<usize> = (0..shape.rank()).filter(|a| !axes.contains(a)).collect();
    match fold {
        Fold::Sum => b.broadcast(dy, shape, &kept),
        // What windows see is pooled: the first of equals takes all, as in every framework.
        Fold::Max if matches!(b.graph().nodes[x].prim, Prim::Window { .. }) => {
            first_of_equals(b, axes, x, y, dy)
        }
        // Equal shares among all that reach the maximum.
        Fold::Max => {
            let top = b.broadcast(y, shape.clone(), &kept);
            let wins = b.eq(x, top);
            let count = b.sum(wins, axes);
            let share = b.div(dy, count);
            let share = b.broadcast(share, shape, &kept);
            let zero = b.constant(0.0);
            b.select(wins, share, zero)
        }
    }
}

/// Puts a slice's elements back to their places in `whole`, zeros elsewhere.
fn unslice(b: &mut Builder, dy: Value, start: &[Dim], step: &[i64], whole: &Shape) -> Value {
    let rank = whole.rank();
    let sizes = b.shape(dy).clone();
    if sizes.iter().any(|n| n.as_const() == Some(0)) {
        let zero = b.constant(0.0);
        return b.broadcast_to(zero, whole);
    }
    let last = |axis: usize| sizes[axis].clone() - Dim::one();
    // Backward steps are turned around first; padding only goes forward.
    let turned: Vec<bool> = step.iter().map(|&s| s < 0).collect();
    let from = (0..rank).map(|a| if turned[a] { last(a) } else { Dim::zero() }).collect();
    let direction = turned.iter().map(|&t| if t { -1 } else { 1 }).collect();
    let forward = b.slice(dy, from, direction, sizes.clone());
    let reach = |a: usize| last(a) * Dim::from(step[a]);
    let lo: Vec<Dim> =
        (0..rank).map(|a| if turned[a] { start[a].clone() + reach(a) } else { start[a].clone() }).collect();
    let span = |a: usize| last(a) * Dim::from(step[a].abs()) + Dim::one();
    let hi = (0..rank).map(|a| whole[a].clone() - lo[a].clone() - span(a)).collect();
    let inner = step.iter().map(|s| s.abs() - 1).collect();
    b.pad(forward, lo, hi, inner, 0.0)
}
