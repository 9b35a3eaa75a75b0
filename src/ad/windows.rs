//! What windows hand back: sums over all that saw a place, and the share of a maximum.

use crate::base::{Dim, Shape};
use crate::graph::{Builder, Einsum, Prim, Value};

/// Adds what each window saw back to its place along `axis`, of size `whole`.
pub(super) fn unwindow(b: &mut Builder, dy: Value, axis: usize, whole: &Dim, sizes: [usize; 3]) -> Value {
    let [size, stride, dilation] = sizes;
    if let Some(dx) = unwindow_apart(b, dy, axis, whole, sizes) {
        return dx;
    }
    if let Some(dx) = unwindow_product(b, dy, axis, whole, sizes) {
        return dx;
    }
    let seen = b.shape(dy).without(&[axis + 1]);
    let span = (seen[axis].clone() - Dim::one()) * Dim::from(stride) + Dim::one();
    let mut sum: Option<Value> = None;
    for j in 0..size {
        let nth = b.slice_axis(dy, axis + 1, Dim::from(j), Dim::one());
        let nth = b.reshape(nth, seen.clone());
        let before = Dim::from(j * dilation);
        let after = whole.clone() - before.clone() - span.clone();
        let stretch = i64::try_from(stride - 1).expect("ad: strides are small");
        let placed = b.pad_axis(nth, axis, [before, after], stretch, 0.0);
        sum = Some(sum.map_or(placed, |sum| b.add(sum, placed)));
    }
    sum.expect("verify: a window sees at least one element")
}

/// The same where windows do not overlap: movement alone, no sum.
fn unwindow_apart(b: &mut Builder, dy: Value, axis: usize, whole: &Dim, sizes: [usize; 3]) -> Option<Value> {
    let [size, stride, dilation] = sizes;
    if dilation != 1 || stride < size {
        return None;
    }
    let gap = Dim::from(stride - size);
    let spread = b.pad_axis(dy, axis + 1, [Dim::zero(), gap], 0, 0.0);
    let apart = b.shape(spread).clone();
    let covered = apart[axis + 1].clone() * apart[axis].clone();
    let flat = apart.without(&[axis + 1]).with(axis, covered.clone());
    let rest = (whole.clone() - covered).as_const()?;
    let joined = b.reshape(spread, flat);
    Some(if rest < 0 {
        b.slice_axis(joined, axis, Dim::zero(), whole.clone())
    } else {
        b.pad_axis(joined, axis, [Dim::zero(), Dim::from(rest)], 0, 0.0)
    })
}

/// The same where what comes back is a product whose one operand knows places and the other what they saw, as
/// behind a convolution: again a convolution, of `dy` with zeros between and around its places and the
/// kernel read backwards. It never makes the product, which is as large as all windows together.
fn unwindow_product(
    b: &mut Builder,
    dy: Value,
    axis: usize,
    whole: &Dim,
    [size, stride, dilation]: [usize; 3],
) -> Option<Value> {
    let Prim::Contract { spec, inputs: [lhs, rhs] } = &b.graph().nodes[dy].prim else { return None };
    let (Einsum { lhs: left, rhs: right, mut out, precision }, lhs, rhs) = (spec.clone(), *lhs, *rhs);
    let place = out[axis];
    let seen = out.remove(axis + 1);
    let only = |label: u8, labels: &[u8], other: &[u8]| labels.contains(&label) && !other.contains(&label);
    let ((places, mut place_labels), (kernel, kernel_labels)) =
        if only(place, &left, &right) && only(seen, &right, &left) {
            ((lhs, left), (rhs, right))
        } else if only(place, &right, &left) && only(seen, &left, &right) {
            ((rhs, right), (lhs, left))
        } else {
            return None;
        };
    let at =
        |labels: &[u8], label: u8| labels.iter().position(|&l| l == label).expect("ad: it was found there");
    let (along, across) = (at(&place_labels, place), at(&kernel_labels, seen));

    let spread = (b.shape(places)[along].clone() - Dim::one()) * Dim::from(stride) + Dim::one();
    let around = [Dim::from((size - 1) * dilation), whole.clone() - spread];
    let between = i64::try_from(stride - 1).expect("ad: strides are small");
    let stretched = b.pad_axis(places, along, around, between, 0.0);
    let windows = b.window(stretched, along, size, 1, dilation);
    place_labels.insert(along + 1, seen);
    let turned = b.flip(kernel, &[across]);
    Some(b.einsum(Einsum { lhs: place_labels, rhs: kernel_labels, out, precision }, windows, turned))
}

/// `dy` at the first element along `axes` of `x`, in row-major order, that equals the maximum `y`.
pub(super) fn first_of_equals(b: &mut Builder, axes: &[usize], x: Value, y: Value, dy: Value) -> Value {
    let shape: Shape = b.shape(x).clone();
    let kept: Vec<usize> = (0..shape.rank()).filter(|a| !axes.contains(a)).collect();
    let top = b.broadcast(y, shape.clone(), &kept);
    let wins = b.eq(x, top);
    let (left, none) = counted_down(b, axes, &shape);
    let candidates = b.select(wins, left, none);
    let first = b.max_of(candidates, axes);
    let first = b.broadcast(first, shape.clone(), &kept);
    let chosen = b.eq(left, first);
    let share = b.broadcast(dy, shape, &kept);
    let zero = b.constant(0.0);
    b.select(chosen, share, zero)
}

/// At each place along `axes`, how many come before it in row-major order, negative: the first of some
/// places has the largest number. And a number below all of them.
fn counted_down(b: &mut Builder, axes: &[usize], shape: &Shape) -> (Value, Value) {
    let sizes: Shape = axes.iter().map(|&axis| shape[axis].clone()).collect();
    let all = sizes.size();
    let mut behind = all.clone();
    let mut left = None;
    for (i, size) in sizes.iter().enumerate() {
        behind = behind.div_exact(size).expect("ad: a product is divisible by its factors");
        let index = b.iota(sizes.clone(), i);
        let index = b.to_f32(index);
        let step = b.size(&behind);
        let step = b.neg(step);
        let down = b.mul(index, step);
        left = Some(left.map_or(down, |sum| b.add(sum, down)));
    }
    let left = left.expect("verify: a fold has axes");
    let all = b.size(&all);
    (b.broadcast(left, shape.clone(), axes), b.neg(all))
}
