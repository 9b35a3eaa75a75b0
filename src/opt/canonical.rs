//! One spelling for what is equal, so that other passes match fewer forms.
//!
//! Numbers stand right; operands of what commutes stand in graph order; signs move out of
//! sums and into numbers; labels of a contraction are a, b, c in order of appearance;
//! movement that moves nothing is a reshape. Exact but for the sign of a zero.

use super::rewrite::{Rebuild, rewrite};
use crate::base::TensorType;
use crate::graph::{Einsum, Fold, Graph, Prim, ScalarOp, Value};

pub fn run(graph: &mut Graph) -> bool {
    rewrite(graph, rule)
}

fn rule(r: &mut Rebuild, prim: &Prim, ty: &TensorType) -> Option<Value> {
    match prim {
        Prim::Map { op, inputs } => order(r, *op, inputs).or_else(|| signs(r, *op, inputs)),
        Prim::Contract { spec, inputs: [lhs, rhs] } => {
            let canonical = relabel(spec);
            (canonical != *spec).then(|| r.b.einsum(canonical, *lhs, *rhs))
        }
        Prim::Reduce { fold, axes, input } => {
            let alone = axes.iter().all(|&a| r.b.shape(*input)[a].is_one());
            match fold {
                Fold::Sum | Fold::Max => alone.then(|| r.b.reshape(*input, ty.shape.clone())),
            }
        }
        Prim::Permute { input, perm } => {
            let shape = r.b.shape(*input);
            let wide: Vec<usize> = perm.iter().copied().filter(|&a| !shape[a].is_one()).collect();
            wide.is_sorted().then(|| r.b.reshape(*input, ty.shape.clone()))
        }
        Prim::Broadcast { input, axes } => {
            let repeats = (0..ty.rank()).any(|a| !axes.contains(&a) && !ty.shape[a].is_one());
            (!repeats && r.rank(*input) > 0).then(|| r.b.reshape(*input, ty.shape.clone()))
        }
        Prim::Window { input, size: 1, stride: 1, .. } => Some(r.b.reshape(*input, ty.shape.clone())),
        Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Size(_)
        | Prim::Iota { .. }
        | Prim::Reshape { .. }
        | Prim::Slice { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. }
        | Prim::Gather { .. }
        | Prim::Scatter { .. }
        | Prim::Random { .. }
        | Prim::Scan { .. } => None,
    }
}

/// Numbers to the right, else the earlier node first.
fn order(r: &mut Rebuild, op: ScalarOp, inputs: &[Value]) -> Option<Value> {
    let &[x, y] = inputs else { return None };
    let mirrored = mirror(op)?;
    let rank = |v: Value| (r.b.is_constant(v), v);
    (rank(x) > rank(y)).then(|| r.b.map(mirrored, &[y, x]))
}

/// The function `g` with `g(y, x) = f(x, y)`.
fn mirror(op: ScalarOp) -> Option<ScalarOp> {
    use ScalarOp::*;
    match op {
        Lt => Some(Gt),
        Gt => Some(Lt),
        Le => Some(Ge),
        Ge => Some(Le),
        Add | Mul | Max | Min | Eq | Ne => Some(op),
        Neg | Abs | Sign | Exp | Expm1 | Log | Log1p | Sqrt | Rsqrt | Tanh | Sigmoid | Erf | Sin | Cos
        | Floor | Sub | Div | Pow | Select | ToF32 | ToI32 | Stop => None,
    }
}

fn signs(r: &mut Rebuild, op: ScalarOp, inputs: &[Value]) -> Option<Value> {
    use ScalarOp::*;
    match (op, inputs) {
        (Neg, &[x]) => match *r.prim(x) {
            Prim::Map { op: Neg, ref inputs } => Some(inputs[0]),
            Prim::Map { op: Sub, ref inputs } if r.is_used_once(x) => {
                let (a, b) = (inputs[0], inputs[1]);
                Some(r.b.sub(b, a))
            }
            Prim::Map { op: Mul, ref inputs } if r.is_used_once(x) => {
                let a = inputs[0];
                let factor = r.b.as_number(inputs[1])?;
                let factor = r.b.constant(-factor);
                Some(r.b.mul(a, factor))
            }
            _ => None,
        },
        (Add, &[x, y]) => match (negated(r, x), negated(r, y)) {
            (_, Some(y)) => Some(r.b.sub(x, y)),
            (Some(x), None) => Some(r.b.sub(y, x)),
            (None, None) => None,
        },
        (Sub, &[x, y]) => negated(r, y).map(|y| r.b.add(x, y)),
        (Mul | Div, &[x, y]) => {
            let x = negated(r, x)?;
            let y = match (negated(r, y), r.b.as_number(y)) {
                (Some(y), _) => y,
                (None, Some(number)) => r.b.constant(-number),
                (None, None) => return None,
            };
            Some(r.b.map(op, &[x, y]))
        }
        (Select, &[c, x, y]) => match *r.prim(c) {
            // Both ask whether a number is not 0.
            Prim::Map { op: Ne, ref inputs } if r.b.as_number(inputs[1]) == Some(0.0) => {
                let c = inputs[0];
                (r.b.dtype(c) == crate::base::DType::F32).then(|| r.b.select(c, x, y))
            }
            _ => None,
        },
        _ => None,
    }
}

/// `x` of `-x`.
fn negated(r: &Rebuild, v: Value) -> Option<Value> {
    match r.prim(v) {
        Prim::Map { op: ScalarOp::Neg, inputs } => Some(inputs[0]),
        _ => None,
    }
}

fn relabel(spec: &Einsum) -> Einsum {
    let mut order: Vec<u8> = Vec::new();
    for &l in spec.lhs.iter().chain(&spec.rhs) {
        if !order.contains(&l) {
            order.push(l);
        }
    }
    let letters: Vec<u8> = (b'a'..=b'z').chain(b'A'..=b'Z').collect();
    let rename = |labels: &[u8]| -> Vec<u8> {
        labels
            .iter()
            .map(|l| letters[order.iter().position(|o| o == l).expect("verify: known label")])
            .collect()
    };
    Einsum {
        lhs: rename(&spec.lhs),
        rhs: rename(&spec.rhs),
        out: rename(&spec.out),
        precision: spec.precision,
    }
}
