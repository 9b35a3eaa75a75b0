//! Computes what is known: functions of numbers, and sizes once they are bound.
//!
//! Done in f64 and rounded once where the number is used, so a chain of them differs from
//! `f32` steps by rounding.

use super::rewrite::{Rebuild, rewrite};
use crate::base::{DType, TensorType};
use crate::graph::{Graph, Prim, Value};

pub fn run(graph: &mut Graph) -> bool {
    rewrite(graph, rule)
}

fn rule(r: &mut Rebuild, prim: &Prim, ty: &TensorType) -> Option<Value> {
    match prim {
        Prim::Map { op, inputs } => {
            let operands: Option<Vec<f64>> = inputs.iter().map(|&v| r.b.as_number(v)).collect();
            let x = op.eval(&operands?);
            let x = if ty.dtype == DType::I32 { f64::from(x as i64 as i32) } else { x };
            Some(r.b.number(x, ty.dtype))
        }
        Prim::Size(dim) => dim.as_const().map(|n| r.b.constant(n as f64)),
        Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Iota { .. }
        | Prim::Reduce { .. }
        | Prim::Contract { .. }
        | Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. }
        | Prim::Gather { .. }
        | Prim::Scatter { .. }
        | Prim::Random { .. }
        | Prim::Scan { .. } => None,
    }
}
