//! Scalar functions on tensors, with NumPy's broadcasting made explicit.

use super::Builder;
use super::movement::broadcast_shapes;
use crate::base::{DType, Shape};
use crate::graph::ir::{Prim, Value};
use crate::graph::scalar::ScalarOp;

macro_rules! named {
    ($($method:ident($($x:ident),+) $op:ident)+) => {
        impl Builder {
            $(pub fn $method(&mut self, $($x: Value),+) -> Value {
                self.map(ScalarOp::$op, &[$($x),+])
            })+
        }
    };
}

named! {
    neg(x) Neg
    abs(x) Abs
    sign(x) Sign
    exp(x) Exp
    expm1(x) Expm1
    log(x) Log
    log1p(x) Log1p
    sqrt(x) Sqrt
    rsqrt(x) Rsqrt
    tanh(x) Tanh
    sigmoid(x) Sigmoid
    erf(x) Erf
    sin(x) Sin
    cos(x) Cos
    floor(x) Floor
    add(x, y) Add
    sub(x, y) Sub
    mul(x, y) Mul
    div(x, y) Div
    pow(x, y) Pow
    max(x, y) Max
    min(x, y) Min
    eq(x, y) Eq
    ne(x, y) Ne
    lt(x, y) Lt
    le(x, y) Le
    gt(x, y) Gt
    ge(x, y) Ge
    select(c, x, y) Select
    stop(x) Stop
}

impl Builder {
    /// Applies `op` at every index of the operands' common shape (NumPy's rules). Rank-0
    /// operands stay as they are.
    pub fn map(&mut self, op: ScalarOp, inputs: &[Value]) -> Value {
        let shape = inputs.iter().fold(Shape::scalar(), |shape, &v| {
            broadcast_shapes(&shape, self.shape(v)).unwrap_or_else(|| {
                panic!("graph: operands of {} broadcast: {shape}, {}", op.name(), self.ty(v))
            })
        });
        let inputs = inputs
            .iter()
            .map(|&v| if self.shape(v).rank() == 0 { v } else { self.broadcast_to(v, &shape) })
            .collect();
        self.infer(Prim::Map { op, inputs })
    }

    /// As `f32`; nothing is done to what is.
    pub fn to_f32(&mut self, v: Value) -> Value {
        if self.dtype(v) == DType::F32 { v } else { self.map(ScalarOp::ToF32, &[v]) }
    }

    /// As `i32`, towards zero; nothing is done to what is.
    pub fn to_i32(&mut self, v: Value) -> Value {
        if self.dtype(v) == DType::I32 { v } else { self.map(ScalarOp::ToI32, &[v]) }
    }
}
