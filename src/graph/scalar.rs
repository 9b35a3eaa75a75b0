//! The scalar table: every function of numbers that a [`Map`](super::Prim::Map) applies.

/// A function of one to three numbers. `f32` unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScalarOp {
    Neg,
    Abs,
    /// -1, 0 or 1.
    Sign,
    Exp,
    Expm1,
    Log,
    Log1p,
    Sqrt,
    Rsqrt,
    Tanh,
    Sigmoid,
    Erf,
    Sin,
    Cos,
    Floor,
    /// Also of two `i32`, as are `Sub`, `Mul`, `Max`, `Min` and the comparisons.
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Max,
    Min,
    /// Comparisons give `f32` 0 or 1.
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `select(c, a, b)` is `a` where `c` is not 0; `a` and `b` also `i32`.
    Select,
    /// From `i32` or `u8`.
    ToF32,
    /// From `f32` (towards zero) or `u8`.
    ToI32,
    /// The input; its derivative is 0. Gone after differentiation.
    Stop,
}
