//! Movement: the same numbers at other places.

use super::Builder;
use crate::base::{Dim, Shape, TensorType};
use crate::graph::ir::{Prim, Value};

/// The common shape of two by NumPy's rules, if there is one: shapes align at their last
/// axes, and a size 1 stretches.
pub fn broadcast_shapes(a: &Shape, b: &Shape) -> Option<Shape> {
    let rank = a.rank().max(b.rank());
    let dim = |s: &Shape, axis: usize| {
        let missing = rank - s.rank();
        if axis < missing { Dim::one() } else { s[axis - missing].clone() }
    };
    (0..rank)
        .map(|axis| match (dim(a, axis), dim(b, axis)) {
            (x, y) if x == y => Some(x),
            (x, y) if x.is_one() => Some(y),
            (x, y) if y.is_one() => Some(x),
            _ => None,
        })
        .collect()
}

impl Builder {
    fn like(&self, v: Value, shape: Shape) -> TensorType {
        TensorType { dtype: self.dtype(v), shape }
    }

    /// The same elements in row-major order; no node if the shape stays.
    pub fn reshape(&mut self, v: Value, shape: impl Into<Shape>) -> Value {
        let shape = shape.into();
        if *self.shape(v) == shape {
            return v;
        }
        let ty = self.like(v, shape);
        self.push(Prim::Reshape { input: v }, ty)
    }

    /// Output axis `i` is input axis `perm[i]`; no node if that is the order already.
    pub fn permute(&mut self, v: Value, perm: &[usize]) -> Value {
        if perm.iter().copied().eq(0..self.shape(v).rank()) {
            return v;
        }
        self.infer(Prim::Permute { input: v, perm: perm.to_vec() })
    }

    /// Exchanges the last two axes.
    pub fn transpose(&mut self, v: Value) -> Value {
        let rank = self.shape(v).rank();
        assert!(rank >= 2, "graph: transpose needs two axes, not {}", self.ty(v));
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(rank - 2, rank - 1);
        self.permute(v, &perm)
    }

    /// Input axis `i` becomes axis `axes[i]` of `shape`; the others repeat.
    pub fn broadcast(&mut self, v: Value, shape: impl Into<Shape>, axes: &[usize]) -> Value {
        let shape = shape.into();
        if *self.shape(v) == shape && axes.iter().copied().eq(0..shape.rank()) {
            return v;
        }
        let ty = self.like(v, shape);
        self.push(Prim::Broadcast { input: v, axes: axes.to_vec() }, ty)
    }

    /// NumPy's broadcasting: sizes align at the last axis, and 1 stretches.
    pub fn broadcast_to(&mut self, v: Value, shape: &Shape) -> Value {
        let from = self.shape(v).clone();
        if from == *shape {
            return v;
        }
        let missing = shape
            .rank()
            .checked_sub(from.rank())
            .unwrap_or_else(|| panic!("graph: {from} was checked to broadcast to {shape}"));
        let kept: Vec<usize> =
            (0..from.rank()).filter(|&a| !from[a].is_one() || shape[a + missing].is_one()).collect();
        let squeezed: Shape = kept.iter().map(|&a| from[a].clone()).collect();
        let axes: Vec<usize> = kept.iter().map(|&a| a + missing).collect();
        let v = self.reshape(v, squeezed);
        self.broadcast(v, shape.clone(), &axes)
    }

    /// `out[i] = v[start + i * step]` per axis, of `shape`.
    pub fn slice(&mut self, v: Value, start: Vec<Dim>, step: Vec<i64>, shape: impl Into<Shape>) -> Value {
        let shape = shape.into();
        let whole = start.iter().all(|d| *d == Dim::zero()) && step.iter().all(|&s| s == 1);
        if whole && *self.shape(v) == shape {
            return v;
        }
        let ty = self.like(v, shape);
        self.push(Prim::Slice { input: v, start, step }, ty)
    }

    /// `len` places of one axis from `start` on, all of the others.
    pub fn slice_axis(&mut self, v: Value, axis: usize, start: Dim, len: Dim) -> Value {
        let rank = self.shape(v).rank();
        let shape = self.shape(v).with(axis, len);
        let mut starts = vec![Dim::zero(); rank];
        starts[axis] = start;
        self.slice(v, starts, vec![1; rank], shape)
    }

    /// The same elements along each of `axes` from the last to the first.
    pub fn flip(&mut self, v: Value, axes: &[usize]) -> Value {
        let shape = self.shape(v).clone();
        let (mut start, mut step) = (vec![Dim::zero(); shape.rank()], vec![1; shape.rank()]);
        for &axis in axes {
            (start[axis], step[axis]) = (shape[axis].clone() - Dim::one(), -1);
        }
        self.slice(v, start, step, shape)
    }

    /// `lo` and `hi` copies of `value` around each axis, `inner` between neighbours.
    pub fn pad(&mut self, v: Value, lo: Vec<Dim>, hi: Vec<Dim>, inner: Vec<i64>, value: f64) -> Value {
        let nothing = lo.iter().chain(&hi).all(|d| *d == Dim::zero()) && inner.iter().all(|&n| n == 0);
        if nothing {
            return v;
        }
        self.infer(Prim::Pad { input: v, lo, hi, inner, value })
    }

    /// Pads one axis.
    pub fn pad_axis(&mut self, v: Value, axis: usize, [lo, hi]: [Dim; 2], inner: i64, value: f64) -> Value {
        let rank = self.shape(v).rank();
        let (mut los, mut his, mut inners) =
            (vec![Dim::zero(); rank], vec![Dim::zero(); rank], vec![0; rank]);
        (los[axis], his[axis], inners[axis]) = (lo, hi, inner);
        self.pad(v, los, his, inners, value)
    }

    /// Joins along `axis`: zeros around each part, then a sum.
    pub fn concat(&mut self, parts: &[Value], axis: usize) -> Value {
        let sizes: Vec<Dim> = parts.iter().map(|&v| self.shape(v)[axis].clone()).collect();
        let total = sizes.iter().fold(Dim::zero(), |n, d| n + d.clone());
        let mut before = Dim::zero();
        let mut joined: Option<Value> = None;
        for (&part, size) in parts.iter().zip(sizes) {
            let after = total.clone() - before.clone() - size.clone();
            let padded = self.pad_axis(part, axis, [before.clone(), after], 0, 0.0);
            joined = Some(joined.map_or(padded, |sum| self.add(sum, padded)));
            before = before + size;
        }
        joined.expect("graph: concat has a part")
    }

    /// Splits `axis` into places and the `size` elements seen from each.
    pub fn window(&mut self, v: Value, axis: usize, size: usize, stride: usize, dilation: usize) -> Value {
        self.infer(Prim::Window { input: v, axis, size, stride, dilation })
    }
}
