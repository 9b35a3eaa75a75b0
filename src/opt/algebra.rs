//! Laws of arithmetic that hold for machine numbers.
//!
//! Exact: `x * 1`, `x / 1`, `x - 0`, `x + x`, `x ^ 1`, choices that are known, divisions by and
//! products of powers of two (short of overflow). `x / c` becomes
//! `x * (1 / c)` for numbers and for what is repeated, rounded once more. `x + 0` and `x ^ 0.5` may lose the sign of
//! a zero; `x ^ 0.5` of minus infinity differs. Whole powers up to 4 round once a product.
//! Not done, since values would change: `x * 0`, `x - x`, sums reordered.

use super::rewrite::{Rebuild, rewrite};
use crate::base::TensorType;
use crate::graph::{Graph, Prim, ScalarOp, Value};

pub fn run(graph: &mut Graph) -> bool {
    rewrite(graph, rule)
}

fn rule(r: &mut Rebuild, prim: &Prim, ty: &TensorType) -> Option<Value> {
    let Prim::Map { op, inputs } = prim else { return None };
    let simpler = match (op, inputs.as_slice()) {
        (ScalarOp::Stop, &[x]) => Some(x),
        (ScalarOp::Select, &[c, x, y]) => choice(r, c, x, y),
        (ScalarOp::Pow, &[x, y]) => power(r, x, r.b.as_number(y)?),
        (_, &[x, y]) => law(r, *op, x, y),
        _ => None,
    }?;
    // A rank-0 operand may be all that is left of a larger result.
    Some(r.b.broadcast_to(simpler, &ty.shape))
}

fn law(r: &mut Rebuild, op: ScalarOp, x: Value, y: Value) -> Option<Value> {
    use ScalarOp::*;
    match (op, r.b.as_number(y)) {
        (Add | Sub, Some(0.0)) | (Mul | Div, Some(1.0)) => Some(x),
        (Mul, Some(-1.0)) => (r.b.dtype(x) == crate::base::DType::F32).then(|| r.b.neg(x)),
        (Mul, Some(c)) if r.b.dtype(x) == crate::base::DType::F32 => {
            let Prim::Map { op: Mul, inputs } = r.prim(x) else { return None };
            let (z, inner) = (inputs[0], r.b.as_number(inputs[1])?);
            if !(power_of_two(c) || power_of_two(inner)) {
                return None;
            }
            let both = r.b.constant(inner * c);
            Some(r.b.mul(z, both))
        }
        (Div, Some(c)) if r.b.dtype(x) == crate::base::DType::F32 && invertible(c) => {
            let inverse = r.b.constant(1.0 / c);
            Some(r.b.mul(x, inverse))
        }
        (Div, None) if r.rank(x) > 0 && r.b.dtype(x) == crate::base::DType::F32 => by_inverse(r, x, y),
        (Add, _) if x == y && r.b.dtype(x) == crate::base::DType::F32 => {
            let two = r.b.constant(2.0);
            Some(r.b.mul(x, two))
        }
        (Max | Min, _) if x == y => Some(x),
        _ => None,
    }
}

/// Whether a factor shifts the exponent alone, in `f32` too.
fn power_of_two(x: f64) -> bool {
    let mantissa = x.to_bits() & ((1 << 52) - 1);
    x.is_normal() && mantissa == 0 && (2f64.powi(-64)..=2f64.powi(64)).contains(&x.abs())
}

/// `x / c` where one `c` serves many `x`: its inverse is computed once.
fn by_inverse(r: &mut Rebuild, x: Value, y: Value) -> Option<Value> {
    let one = r.b.constant(1.0);
    let inverse = match r.prim(y).clone() {
        _ if r.rank(y) == 0 => r.b.div(one, y),
        Prim::Broadcast { input, axes } => {
            let shape = r.b.shape(y).clone();
            let small = r.b.div(one, input);
            r.b.broadcast(small, shape, &axes)
        }
        _ => return None,
    };
    Some(r.b.mul(x, inverse))
}

/// Whether dividing by it is multiplying by its inverse, which is a normal number in `f32` too.
fn invertible(x: f64) -> bool {
    (2f64.powi(-64)..=2f64.powi(64)).contains(&x.abs())
}

fn choice(r: &mut Rebuild, c: Value, x: Value, y: Value) -> Option<Value> {
    match r.b.as_number(c) {
        _ if x == y => Some(x),
        Some(c) => Some(if c != 0.0 { x } else { y }),
        None => None,
    }
}

fn power(r: &mut Rebuild, x: Value, exponent: f64) -> Option<Value> {
    match exponent {
        0.0 => Some(r.b.constant(1.0)),
        1.0 => Some(x),
        -1.0 => {
            let one = r.b.constant(1.0);
            Some(r.b.div(one, x))
        }
        0.5 => Some(r.b.sqrt(x)),
        2.0 | 3.0 | 4.0 => {
            let square = r.b.mul(x, x);
            match exponent {
                2.0 => Some(square),
                3.0 => Some(r.b.mul(square, x)),
                _ => Some(r.b.mul(square, square)),
            }
        }
        _ => None,
    }
}
