//! Pads on their way to the leaves: below windows, which repeat what they see, and into each other.

use crate::base::Dim;
use crate::graph::{Prim, Value};
use crate::opt::rewrite::Rebuild;

/// What a pad adds, one of each for every axis.
pub struct Edges {
    pub lo: Vec<Dim>,
    pub hi: Vec<Dim>,
    pub inner: Vec<i64>,
}

impl Edges {
    fn leave_alone(&self, axis: usize) -> bool {
        self.lo[axis] == Dim::zero() && self.hi[axis] == Dim::zero() && self.inner[axis] == 0
    }

    /// Both as one pad, `self` first: on each axis one of them has nothing between neighbours to do, or is alone.
    fn then(&self, next: &Edges) -> Option<Edges> {
        let axes = 0..self.lo.len();
        let joins = |axis: usize| next.inner[axis] == 0 || self.leave_alone(axis);
        axes.clone().all(joins).then(|| {
            let sum = |a: &[Dim], b: &[Dim]| a.iter().zip(b).map(|(a, b)| a.clone() + b.clone()).collect();
            let inner = axes.map(|axis| self.inner[axis] + next.inner[axis]).collect();
            Edges { lo: sum(&self.lo, &next.lo), hi: sum(&self.hi, &next.hi), inner }
        })
    }
}

/// `v` padded, as near to the leaves as that says the same.
pub fn rule(r: &mut Rebuild, v: Value, edges: Edges, value: f64) -> Value {
    match r.prim(v).clone() {
        Prim::Window { input, axis, size, stride, dilation }
            if edges.leave_alone(axis) && edges.leave_alone(axis + 1) =>
        {
            let Edges { mut lo, mut hi, mut inner } = edges;
            lo.remove(axis + 1);
            hi.remove(axis + 1);
            inner.remove(axis + 1);
            let padded = rule(r, input, Edges { lo, hi, inner }, value);
            r.b.window(padded, axis, size, stride, dilation)
        }
        Prim::Pad { input, lo, hi, inner, value: first } if first.to_bits() == value.to_bits() => {
            match (Edges { lo, hi, inner }).then(&edges) {
                Some(both) => rule(r, input, both, value),
                None => r.b.pad(v, edges.lo, edges.hi, edges.inner, value),
            }
        }
        _ => r.b.pad(v, edges.lo, edges.hi, edges.inner, value),
    }
}
