//! Reshape, permute and slice on their way to the leaves.

use super::regroup::{Group, regroup};
use crate::base::{Dim, Shape};
use crate::graph::{Einsum, Prim, Value};
use crate::opt::rewrite::Rebuild;

/// A movement that has not found its place yet.
#[derive(Clone)]
pub enum Move {
    Reshape(Shape),
    Permute(Vec<usize>),
    Slice { start: Vec<Dim>, step: Vec<i64>, shape: Shape },
}

/// The tensor `v` moved, by the deepest movement that copies no work.
pub fn push(r: &mut Rebuild, v: Value, by: Move) -> Value {
    if takes(r, v, &by) { sink(r, v, by) } else { plain(r, v, by) }
}

/// Whether all that lies below can be moved and stays a plain access: reshaping what repeats
/// along a part of a group of axes, or counts along one, would need a division per element.
fn takes(r: &Rebuild, v: Value, by: &Move) -> bool {
    let Move::Reshape(to) = by else { return true };
    match r.prim(v) {
        Prim::Map { inputs, .. } if r.is_used_once(v) => {
            inputs.iter().all(|&x| r.rank(x) == 0 || takes(r, x, by))
        }
        Prim::Broadcast { axes, .. } => regroup(r.b.shape(v), to).is_some_and(|groups| {
            groups.iter().all(|g| {
                let kept = g.from.clone().filter(|a| axes.contains(a)).count();
                kept == 0 || kept == g.from.len()
            })
        }),
        Prim::Iota { axis } => counted(r.b.shape(v), to, *axis).is_some(),
        Prim::Reshape { input } => takes(r, *input, by),
        _ => true,
    }
}

/// The axis of `to` along which an iota of `from` counts.
fn counted(from: &Shape, to: &Shape, axis: usize) -> Option<usize> {
    let groups = regroup(from, to)?;
    let group = groups.into_iter().find(|g| g.from.contains(&axis))?;
    (group.from.len() == 1 && group.to.len() == 1).then_some(group.to.start)
}

/// Moves `v` and all below that should be.
fn sink(r: &mut Rebuild, v: Value, by: Move) -> Value {
    let prim = r.prim(v).clone();
    match (prim, by) {
        (Prim::Map { op, inputs }, by) if r.rank(v) > 0 && r.is_used_once(v) => {
            let moved: Vec<Value> =
                inputs.iter().map(|&x| if r.rank(x) == 0 { x } else { sink(r, x, by.clone()) }).collect();
            r.b.map(op, &moved)
        }
        (Prim::Iota { axis }, Move::Reshape(to)) => match counted(r.b.shape(v), &to, axis) {
            Some(axis) => r.b.iota(to, axis),
            None => plain(r, v, Move::Reshape(to)),
        },
        (Prim::Iota { axis }, Move::Permute(perm)) => {
            let shape: Shape = perm.iter().map(|&a| r.b.shape(v)[a].clone()).collect();
            let axis = perm.iter().position(|&a| a == axis).expect("verify: a permutation has every axis");
            r.b.iota(shape, axis)
        }
        (Prim::Reshape { input }, by @ Move::Reshape(_)) => push(r, input, by),
        (Prim::Permute { input, perm }, Move::Permute(then)) => {
            push(r, input, Move::Permute(then.iter().map(|&a| perm[a]).collect()))
        }
        (Prim::Slice { input, start, step }, Move::Slice { start: s, step: t, shape }) => {
            let start =
                start.iter().zip(&step).zip(s).map(|((a, &p), s)| a.clone() + s * Dim::from(p)).collect();
            let step = step.iter().zip(t).map(|(p, t)| p * t).collect();
            push(r, input, Move::Slice { start, step, shape })
        }
        (Prim::Random { site }, Move::Reshape(shape)) if r.is_used_once(v) => r.b.random(site, shape),
        (Prim::Contract { spec, inputs: [lhs, rhs] }, Move::Permute(perm)) if r.is_used_once(v) => {
            let out = perm.iter().map(|&a| spec.out[a]).collect();
            r.b.einsum(Einsum { out, ..spec }, lhs, rhs)
        }
        (Prim::Broadcast { input, axes }, by) => {
            through_broadcast(r, input, &axes, r.b.shape(v).clone(), &by).unwrap_or_else(|| plain(r, v, by))
        }
        (Prim::Pad { input, lo, inner, .. }, Move::Slice { start, step, shape }) => {
            inside_of_pad(r, input, &lo, &inner, &start, &step, &shape)
                .or_else(|| less_padding(r, v, &start, &step, &shape))
                .unwrap_or_else(|| plain(r, v, Move::Slice { start, step, shape }))
        }
        (Prim::Contract { spec, inputs }, Move::Slice { start, step, shape }) if r.is_used_once(v) => {
            let cut = inputs.map(|x| r.b.shape(x).clone());
            let [lhs, rhs] = [(&spec.lhs, 0), (&spec.rhs, 1)].map(|(labels, i)| {
                let place = |l: &u8| spec.out.iter().position(|o| o == l);
                let part = Move::Slice {
                    start: labels
                        .iter()
                        .map(|l| place(l).map_or(Dim::zero(), |i| start[i].clone()))
                        .collect(),
                    step: labels.iter().map(|l| place(l).map_or(1, |i| step[i])).collect(),
                    shape: labels
                        .iter()
                        .enumerate()
                        .map(|(a, l)| place(l).map_or_else(|| cut[i][a].clone(), |i| shape[i].clone()))
                        .collect(),
                };
                push(r, inputs[i], part)
            });
            r.b.einsum(spec, lhs, rhs)
        }
        (Prim::Window { .. }, Move::Slice { start, step, shape }) => {
            fewer_windows(r, v, &start, &step, &shape)
                .unwrap_or_else(|| plain(r, v, Move::Slice { start, step, shape }))
        }
        (_, by) => plain(r, v, by),
    }
}

/// The movement as a node of its own, or nothing if nothing moves.
fn plain(r: &mut Rebuild, v: Value, by: Move) -> Value {
    match by {
        Move::Reshape(shape) => r.b.reshape(v, shape),
        Move::Permute(perm) => r.b.permute(v, &perm),
        Move::Slice { start, step, shape } => r.b.slice(v, start, step, shape),
    }
}

/// Moves what is repeated, then repeats it.
fn through_broadcast(r: &mut Rebuild, x: Value, axes: &[usize], from: Shape, by: &Move) -> Option<Value> {
    match by {
        Move::Reshape(to) => {
            let mut inner = Vec::new();
            let mut new_axes = Vec::new();
            for Group { from: f, to: t } in regroup(&from, to)? {
                let kept = f.clone().filter(|a| axes.contains(a)).count();
                if kept > 0 && kept < f.len() {
                    return None;
                }
                if kept > 0 {
                    inner.extend(t.clone().map(|a| to[a].clone()));
                    new_axes.extend(t);
                }
            }
            let x = push(r, x, Move::Reshape(Shape::from(inner)));
            Some(r.b.broadcast(x, to.clone(), &new_axes))
        }
        Move::Permute(perm) => {
            let shape: Shape = perm.iter().map(|&a| from[a].clone()).collect();
            let new_axes: Vec<usize> = (0..perm.len()).filter(|&i| axes.contains(&perm[i])).collect();
            let source = |&i: &usize| axes.iter().position(|&a| a == perm[i]).expect("opt: a kept axis");
            let inner = new_axes.iter().map(source).collect();
            let x = push(r, x, Move::Permute(inner));
            Some(r.b.broadcast(x, shape, &new_axes))
        }
        Move::Slice { start, step, shape } => {
            let inner = Move::Slice {
                start: axes.iter().map(|&a| start[a].clone()).collect(),
                step: axes.iter().map(|&a| step[a]).collect(),
                shape: axes.iter().map(|&a| shape[a].clone()).collect(),
            };
            let x = push(r, x, inner);
            Some(r.b.broadcast(x, shape.clone(), axes))
        }
    }
}

/// A slice that sees none of the padding is a slice of the padded tensor.
fn inside_of_pad(
    r: &mut Rebuild,
    x: Value,
    lo: &[Dim],
    inner: &[i64],
    start: &[Dim],
    step: &[i64],
    shape: &Shape,
) -> Option<Value> {
    let size = r.b.shape(x).clone();
    let mut begin = Vec::with_capacity(start.len());
    let mut stride = Vec::with_capacity(start.len());
    for axis in 0..start.len() {
        let gap = inner[axis] + 1;
        let first = start[axis].clone() - lo[axis].clone();
        let last = first.clone() + (shape[axis].clone() - Dim::one()) * Dim::from(step[axis]);
        let end = (size[axis].clone() - Dim::one()) * Dim::from(gap);
        for at in [&first, &last] {
            let within = at.as_const()? >= 0 && (end.clone() - at.clone()).as_const()? >= 0;
            if !within {
                return None;
            }
        }
        // Strides over the gaps must land on elements.
        if step[axis] % gap != 0 {
            return None;
        }
        begin.push(first.div_exact(&Dim::from(gap))?);
        stride.push(step[axis] / gap);
    }
    Some(push(r, x, Move::Slice { start: begin, step: stride, shape: shape.clone() }))
}

/// A slice that cuts only padding off, at steps of 1, is a smaller pad.
fn less_padding(r: &mut Rebuild, v: Value, start: &[Dim], step: &[i64], shape: &Shape) -> Option<Value> {
    let Prim::Pad { input, lo, inner, value, .. } = r.prim(v).clone() else { return None };
    let size = r.b.shape(input).clone();
    let (mut before, mut behind) = (Vec::with_capacity(lo.len()), Vec::with_capacity(lo.len()));
    for axis in 0..lo.len() {
        let left = lo[axis].clone() - start[axis].clone();
        let spread = (size[axis].clone() - Dim::one()) * Dim::from(inner[axis] + 1) + Dim::one();
        let rest = shape[axis].clone() - left.clone() - spread;
        if step[axis] != 1 || left.as_const()? < 0 || rest.as_const()? < 0 {
            return None;
        }
        before.push(left);
        behind.push(rest);
    }
    Some(r.b.pad(input, before, behind, inner, value))
}

/// A slice that leaves what each place sees whole is that of fewer places, or places further apart.
fn fewer_windows(r: &mut Rebuild, v: Value, start: &[Dim], step: &[i64], shape: &Shape) -> Option<Value> {
    let Prim::Window { input, axis, size, stride, dilation } = *r.prim(v) else { return None };
    let whole = start[axis + 1] == Dim::zero() && step[axis + 1] == 1 && shape[axis + 1] == Dim::from(size);
    if !whole || step[axis] < 1 {
        return None;
    }
    let stride_now = stride * usize::try_from(step[axis]).ok()?;
    let reach = (shape[axis].clone() - Dim::one()) * Dim::from(stride_now) + Dim::from((size - 1) * dilation);
    let without = |i: &usize| *i != axis + 1;
    let axes: Vec<usize> = (0..start.len()).filter(without).collect();
    let mut begin: Vec<Dim> = axes.iter().map(|&i| start[i].clone()).collect();
    let mut steps: Vec<i64> = axes.iter().map(|&i| step[i]).collect();
    let mut sizes: Vec<Dim> = axes.iter().map(|&i| shape[i].clone()).collect();
    begin[axis] = begin[axis].clone() * Dim::from(stride);
    steps[axis] = 1;
    sizes[axis] = reach + Dim::one();
    let part = Move::Slice { start: begin, step: steps, shape: Shape::from(sizes) };
    let part = push(r, input, part);
    Some(r.b.window(part, axis, size, stride_now, dilation))
}
