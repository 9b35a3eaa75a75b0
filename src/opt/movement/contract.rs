//! Contractions take permutations and broadcasts into their labels.

use crate::base::{Precision, Shape};
use crate::graph::{Einsum, Prim, Value};
use crate::opt::rewrite::Rebuild;

pub fn rule(r: &mut Rebuild, spec: &Einsum, lhs: Value, rhs: Value) -> Option<Value> {
    permuted(r, spec, lhs, rhs).or_else(|| repeated(r, spec, lhs, rhs)).or_else(|| product(r, spec, lhs, rhs))
}

/// A permuted operand is the operand with its labels in another order.
fn permuted(r: &mut Rebuild, spec: &Einsum, lhs: Value, rhs: Value) -> Option<Value> {
    let (l, left) = unpermute(r, lhs, &spec.lhs);
    let (right, other) = unpermute(r, rhs, &spec.rhs);
    let changed = l != lhs || right != rhs;
    changed.then(|| r.b.einsum(Einsum { lhs: left, rhs: other, ..spec.clone() }, l, right))
}

fn unpermute(r: &Rebuild, v: Value, labels: &[u8]) -> (Value, Vec<u8>) {
    match r.prim(v) {
        Prim::Permute { input, perm } => {
            let mut order = labels.to_vec();
            perm.iter().zip(labels).for_each(|(&from, &l)| order[from] = l);
            (*input, order)
        }
        _ => (v, labels.to_vec()),
    }
}

/// A repeated operand loses the labels along which it repeats: the other operand has them,
/// or is summed over them, or the result repeats.
fn repeated(r: &mut Rebuild, spec: &Einsum, lhs: Value, rhs: Value) -> Option<Value> {
    let (l, left) = unrepeat(r, lhs, &spec.lhs);
    let (right, other) = unrepeat(r, rhs, &spec.rhs);
    if l == lhs && right == rhs {
        return None;
    }
    // Both repeat along a label that is summed: the sum is a product with its size. Left alone.
    let known = |label: &u8| left.contains(label) || other.contains(label) || spec.out.contains(label);
    if !spec.lhs.iter().chain(&spec.rhs).all(known) {
        return None;
    }
    // What is rounded term by term is not what is rounded once summed.
    let is_lone = |l: &u8| left.contains(l) != other.contains(l) && !spec.out.contains(l);
    if spec.precision != Precision::F32 && left.iter().chain(&other).any(is_lone) {
        return None;
    }
    let result = shape_of(r, spec, lhs, rhs);
    let kept: Vec<usize> = (0..spec.out.len())
        .filter(|&i| left.contains(&spec.out[i]) || other.contains(&spec.out[i]))
        .collect();
    let out: Vec<u8> = kept.iter().map(|&i| spec.out[i]).collect();
    let (l, left) = sum_lone(r, l, left, &other, &out);
    let (right, other) = sum_lone(r, right, other, &left, &out);
    let precision = spec.precision;
    let small = r.b.einsum(Einsum { lhs: left, rhs: other, out, precision }, l, right);
    Some(r.b.broadcast(small, result, &kept))
}

fn unrepeat(r: &Rebuild, v: Value, labels: &[u8]) -> (Value, Vec<u8>) {
    match r.prim(v) {
        Prim::Broadcast { input, axes } => (*input, axes.iter().map(|&a| labels[a]).collect()),
        _ => (v, labels.to_vec()),
    }
}

/// Sums the axes whose labels nobody else has.
fn sum_lone(r: &mut Rebuild, v: Value, labels: Vec<u8>, other: &[u8], out: &[u8]) -> (Value, Vec<u8>) {
    let lone = |l: &u8| !other.contains(l) && !out.contains(l);
    let axes: Vec<usize> = (0..labels.len()).filter(|&i| lone(&labels[i])).collect();
    (r.b.sum(v, &axes), labels.into_iter().filter(|l| !lone(l)).collect())
}

fn shape_of(r: &Rebuild, spec: &Einsum, lhs: Value, rhs: Value) -> Shape {
    let find =
        |labels: &[u8], v: Value, l: u8| labels.iter().position(|&x| x == l).map(|i| r.b.shape(v)[i].clone());
    let size = |&l: &u8| find(&spec.lhs, lhs, l).or_else(|| find(&spec.rhs, rhs, l));
    spec.out.iter().map(|l| size(l).expect("verify: a label comes from an operand")).collect()
}

/// A contraction that sums nothing is a product, if it takes numbers as they are.
fn product(r: &mut Rebuild, spec: &Einsum, lhs: Value, rhs: Value) -> Option<Value> {
    if spec.precision != Precision::F32 || !spec.lhs.iter().chain(&spec.rhs).all(|l| spec.out.contains(l)) {
        return None;
    }
    let shape = shape_of(r, spec, lhs, rhs);
    let l = spread(r, lhs, &spec.lhs, &spec.out, &shape);
    let right = spread(r, rhs, &spec.rhs, &spec.out, &shape);
    Some(r.b.mul(l, right))
}

/// The operand along the axes of the output.
fn spread(r: &mut Rebuild, v: Value, labels: &[u8], out: &[u8], shape: &Shape) -> Value {
    if labels.is_empty() {
        return v;
    }
    let place = |l: u8| labels.iter().position(|&x| x == l);
    let axes: Vec<usize> = (0..out.len()).filter(|&i| place(out[i]).is_some()).collect();
    let perm: Vec<usize> = axes.iter().filter_map(|&i| place(out[i])).collect();
    let ordered = r.b.permute(v, &perm);
    r.b.broadcast(ordered, shape.clone(), &axes)
}
