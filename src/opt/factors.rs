//! What is the same all along a sum is a factor of it.
//!
//! `sum(x * c) = sum(x) * c` where `c` is repeated along the summed axes; so with quotients and signs. And what is
//! centred on its own mean has the sum 0, which is what the gradient of a variance asks for. Both change values by
//! rounding: products are rounded once less for each number summed, and a sum of rounded differences is nearly 0.
//! Sums that differ in such factors alone become one: a BatchNorm's gradient has three of them.

use super::rewrite::{Rebuild, rewrite};
use crate::base::{DType, Dim, TensorType};
use crate::graph::{Fold, Graph, Prim, ScalarOp, Value};

pub fn run(graph: &mut Graph) -> bool {
    rewrite(graph, rule)
}

fn rule(r: &mut Rebuild, prim: &Prim, ty: &TensorType) -> Option<Value> {
    let Prim::Reduce { fold: Fold::Sum, axes, input } = prim else { return None };
    if ty.dtype != DType::F32 {
        return None;
    }
    if is_centred(r, *input, axes) {
        let zero = r.b.constant(0.0);
        return Some(r.b.broadcast_to(zero, &ty.shape));
    }
    let mut product = Product::default();
    product.take(r, *input, axes);
    if product.factors.is_empty() && !product.negative || product.summed.is_empty() {
        return None;
    }
    product.summed.sort();
    let all = product.summed.iter().copied().reduce(|x, y| r.b.mul(x, y)).expect("opt: something is summed");
    let mut sum = r.b.reduce(Fold::Sum, all, axes);
    for (op, factor) in product.factors {
        let factor = beside(r, factor, axes, ty);
        sum = r.b.map(op, &[sum, factor]);
    }
    Some(if product.negative { r.b.neg(sum) } else { sum })
}

/// A product whose factors are told apart by whether they change along the axes.
#[derive(Default)]
struct Product {
    summed: Vec<Value>,
    /// Multiplied with, or divided by.
    factors: Vec<(ScalarOp, Value)>,
    negative: bool,
}

impl Product {
    fn take(&mut self, r: &Rebuild, v: Value, axes: &[usize]) {
        if is_same_along(r, v, axes) {
            return self.factors.push((ScalarOp::Mul, v));
        }
        match r.prim(v) {
            Prim::Map { op: ScalarOp::Neg, inputs } => {
                self.negative = !self.negative;
                self.take(r, inputs[0], axes);
            }
            Prim::Map { op: ScalarOp::Mul, inputs } if has_factor(r, v, axes) => {
                inputs.iter().for_each(|&input| self.take(r, input, axes));
            }
            Prim::Map { op: ScalarOp::Div, inputs } if has_factor(r, v, axes) => {
                self.take(r, inputs[0], axes);
                match is_same_along(r, inputs[1], axes) {
                    true => self.factors.push((ScalarOp::Div, inputs[1])),
                    false => self.summed.push(v),
                }
            }
            _ => self.summed.push(v),
        }
    }
}

/// Whether a product or quotient has a part that goes out of the sum: else it stays whole, as others may read it.
fn has_factor(r: &Rebuild, v: Value, axes: &[usize]) -> bool {
    match r.prim(v) {
        _ if is_same_along(r, v, axes) => true,
        Prim::Map { op: ScalarOp::Neg, .. } => true,
        Prim::Map { op: ScalarOp::Mul, inputs } => inputs.iter().any(|&input| has_factor(r, input, axes)),
        Prim::Map { op: ScalarOp::Div, inputs } => is_same_along(r, inputs[1], axes),
        _ => false,
    }
}

fn is_same_along(r: &Rebuild, v: Value, axes: &[usize]) -> bool {
    match r.prim(v) {
        Prim::Broadcast { axes: kept, .. } => !kept.iter().any(|a| axes.contains(a)),
        _ => r.rank(v) == 0,
    }
}

/// A factor as it stands beside the sum.
fn beside(r: &mut Rebuild, factor: Value, axes: &[usize], ty: &TensorType) -> Value {
    let Prim::Broadcast { input, axes: kept } = r.prim(factor).clone() else { return factor };
    let left = |a: usize| a - axes.iter().filter(|&&x| x < a).count();
    let kept: Vec<usize> = kept.into_iter().map(left).collect();
    r.b.broadcast(input, ty.shape.clone(), &kept)
}

/// Whether `v` is `x - mean(x)`, the mean along these axes.
fn is_centred(r: &Rebuild, v: Value, axes: &[usize]) -> bool {
    let Prim::Map { op: ScalarOp::Sub, inputs } = r.prim(v) else { return false };
    let [x, mean] = inputs[..] else { return false };
    let Prim::Broadcast { input: mean, axes: kept } = r.prim(mean) else { return false };
    let others = (0..r.rank(v)).filter(|a| !axes.contains(a));
    kept.iter().copied().eq(others) && is_mean(r, *mean, x, axes)
}

fn is_mean(r: &Rebuild, mean: Value, x: Value, axes: &[usize]) -> bool {
    let count = axes.iter().fold(Dim::one(), |n, &a| n * r.b.shape(x)[a].clone());
    let (sum, by) = match r.prim(mean) {
        Prim::Map { op: ScalarOp::Div, inputs } => {
            let number = count.as_const().is_some_and(|n| r.b.as_number(inputs[1]) == Some(n as f64));
            (inputs[0], number || matches!(r.prim(inputs[1]), Prim::Size(n) if *n == count))
        }
        Prim::Map { op: ScalarOp::Mul, inputs } => {
            let inverse = count.as_const().map(|n| 1.0 / n as f64);
            (inputs[0], inverse.is_some() && r.b.as_number(inputs[1]) == inverse)
        }
        _ => return false,
    };
    let sums = |of: &Prim| matches!(of, Prim::Reduce { fold: Fold::Sum, axes: a, input } if a == axes && *input == x);
    by && sums(r.prim(sum))
}
