//! The scalar table: every function of numbers that a [`Map`](super::Prim::Map) applies.
//!
//! One row holds all that is known of a function: name, arity, element types, value,
//! derivative, and how the backends say it. The enum, the table and their order come from
//! the same rows, so neither can lack a function.
//!
//! Conventions where a derivative does not exist: `abs` has 0 at 0; `max` and `min` give
//! each operand half at a tie, as JAX does, unless one operand is a constant: then the
//! other gets nothing at the tie, so `max(x, 0)` has derivative 0 at 0 as `relu` does in
//! Keras and JAX. Comparisons, `floor` and `sign` have none anywhere.

use super::builder::Builder;
use super::ir::Value;
use crate::base::DType;

/// What is known of one scalar function.
pub struct Scalar {
    pub op: ScalarOp,
    /// As graphs print it and the language calls it.
    pub name: &'static str,
    pub types: Types,
    /// The value in f64. Of `i32` operands the caller wraps the result.
    pub eval: fn(&[f64]) -> f64,
    /// One for each operand, so their number is the arity: its gradient, where one flows.
    /// It has the shape of the result, also for an operand of rank 0.
    pub grads: &'static [Grad],
    /// The WGSL expression of `{0}`, `{1}`, `{2}`, each at most once; of `f32` if the two differ.
    pub wgsl: &'static str,
    /// The same where the last operand is a whole number.
    pub wgsl_whole: &'static str,
    pub cpu: Cpu,
    pub doc: &'static str,
}

/// `(builder, operands, result, dy)` to the gradient of one operand.
pub type Grad = fn(&mut Builder, &[Value], Value, Value) -> Option<Value>;

/// Which element types a function takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Types {
    /// `f32` to `f32`.
    Float,
    /// `f32` to `f32`, or `i32` to `i32`.
    Number,
    /// Two `f32` or two `i32` to `f32`.
    Compare,
    /// An `f32` condition and two `f32` or two `i32`.
    Select,
    /// `i32` or `u8` to `f32`.
    ToF32,
    /// `f32` or `u8` to `i32`.
    ToI32,
}

/// How the CPU computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// A few instructions.
    Inline,
    /// A call, once for a strip of elements, to this function of the kernels crate.
    Strip(&'static str),
}

/// Runs `body` with the operands' names bound to a slice's elements.
macro_rules! with_operands {
    (($($x:ident),+), $from:ident, $body:expr) => {{
        match $from {
            [$($x),+] => { $(let $x = *$x;)+ $body }
            _ => panic!("scalar: {} operands of {}", stringify!($($x),+), $from.len()),
        }
    }};
}

macro_rules! scalar_table {
    (@last $only:literal) => { $only };
    (@last $first:literal $last:literal) => { $last };
    ($($(#[doc = $doc:literal])+
        $op:ident $operands:tt $name:literal $types:ident {
            eval: $eval:expr,
            grad($b:pat, $y:pat, $dy:pat): [$($grad:expr),+],
            wgsl: $wgsl:literal $(of f32, $whole:literal of whole numbers)?,
            cpu: $cpu:expr,
        })+) => {
        /// A function of one to three numbers. `f32` unless said otherwise.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ScalarOp {
            $($(#[doc = $doc])+ $op,)+
        }

        /// Every scalar function, in the order of [`ScalarOp`].
        #[allow(unused_variables, reason = "a formula need not read all that is in scope")]
        pub static TABLE: &[Scalar] = &[$(Scalar {
            op: ScalarOp::$op,
            name: $name,
            types: Types::$types,
            eval: |x| with_operands!($operands, x, $eval),
            grads: &[$(|$b, x, $y, $dy| with_operands!($operands, x, $grad)),+],
            wgsl: $wgsl,
            wgsl_whole: scalar_table!(@last $wgsl $($whole)?),
            cpu: $cpu,
            doc: concat!($($doc),+),
        }),+];
    };
}

/// 0 or 1.
fn truth(x: bool) -> f64 {
    f64::from(u8::from(x))
}

/// What `x` gets of `max(x, other)` and `min(x, other)`: all where it `wins`.
fn side(b: &mut Builder, wins: ScalarOp, x: Value, other: Value, dy: Value) -> Option<Value> {
    if b.is_constant(x) {
        return None;
    }
    let zero = b.constant(0.0);
    let ahead = b.map(wins, &[x, other]);
    if b.is_constant(other) {
        return Some(b.select(ahead, dy, zero));
    }
    let half = b.constant(0.5);
    let shared = b.mul(dy, half);
    let tie = b.eq(x, other);
    let rest = b.select(tie, shared, zero);
    Some(b.select(ahead, dy, rest))
}

/// `y * x^(y - 1)`, and 0 for an exponent 0 even where `x` is 0.
fn power_slope(b: &mut Builder, x: Value, y: Value) -> Option<Value> {
    let one = b.constant(1.0);
    let exponent = match b.as_number(y) {
        Some(0.0) => return None,
        Some(y) => b.constant(y - 1.0),
        None => {
            let zero = b.constant(0.0);
            let (is_zero, less) = (b.eq(y, zero), b.sub(y, one));
            b.select(is_zero, one, less)
        }
    };
    let power = b.pow(x, exponent);
    Some(b.mul(power, y))
}

scalar_table! {
    /// The number with the other sign.
    Neg(x) "neg" Float {
        eval: -x,
        grad(b, _, dy): [Some(b.neg(dy))],
        wgsl: "-{0}",
        cpu: Cpu::Inline,
    }
    /// The distance from 0.
    Abs(x) "abs" Float {
        eval: x.abs(),
        grad(b, _, dy): [{ let s = b.sign(x); Some(b.mul(dy, s)) }],
        wgsl: "abs({0})",
        cpu: Cpu::Inline,
    }
    /// -1, 0 or 1.
    Sign(x) "sign" Float {
        eval: if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x },
        grad(_, _, _): [None],
        wgsl: "mlc_sign({0})",
        cpu: Cpu::Inline,
    }
    /// e to the power of `x`.
    Exp(x) "exp" Float {
        eval: libm::exp(x),
        grad(b, y, dy): [Some(b.mul(dy, y))],
        wgsl: "mlc_exp({0})",
        cpu: Cpu::Strip("mlc_exp"),
    }
    /// `exp(x) - 1`, exact near 0.
    Expm1(x) "expm1" Float {
        eval: libm::expm1(x),
        grad(b, _, dy): [{ let e = b.exp(x); Some(b.mul(dy, e)) }],
        wgsl: "mlc_expm1({0})",
        cpu: Cpu::Strip("mlc_expm1"),
    }
    /// The natural logarithm.
    Log(x) "log" Float {
        eval: libm::log(x),
        grad(b, _, dy): [Some(b.div(dy, x))],
        wgsl: "mlc_log({0})",
        cpu: Cpu::Strip("mlc_log"),
    }
    /// `log(1 + x)`, exact near 0.
    Log1p(x) "log1p" Float {
        eval: libm::log1p(x),
        grad(b, _, dy): [{ let one = b.constant(1.0); let d = b.add(x, one); Some(b.div(dy, d)) }],
        wgsl: "mlc_log1p({0})",
        cpu: Cpu::Strip("mlc_log1p"),
    }
    /// The square root.
    Sqrt(x) "sqrt" Float {
        eval: x.sqrt(),
        grad(b, y, dy): [{ let half = b.constant(0.5); let h = b.mul(dy, half); Some(b.div(h, y)) }],
        wgsl: "mlc_sqrt({0})",
        cpu: Cpu::Strip("mlc_sqrt"),
    }
    /// `1 / sqrt(x)`.
    Rsqrt(x) "rsqrt" Float {
        eval: 1.0 / x.sqrt(),
        grad(b, y, dy): [{
            let half = b.constant(-0.5);
            let cube = b.div(y, x);
            let slope = b.mul(cube, half);
            Some(b.mul(dy, slope))
        }],
        wgsl: "mlc_rsqrt({0})",
        cpu: Cpu::Strip("mlc_rsqrt"),
    }
    /// The hyperbolic tangent.
    Tanh(x) "tanh" Float {
        eval: libm::tanh(x),
        grad(b, y, dy): [{
            let one = b.constant(1.0);
            let square = b.mul(y, y);
            let slope = b.sub(one, square);
            Some(b.mul(dy, slope))
        }],
        wgsl: "mlc_tanh({0})",
        cpu: Cpu::Strip("mlc_tanh"),
    }
    /// The logistic function, `1 / (1 + exp(-x))`.
    Sigmoid(x) "sigmoid" Float {
        eval: 1.0 / (1.0 + libm::exp(-x)),
        grad(b, y, dy): [{
            let one = b.constant(1.0);
            let rest = b.sub(one, y);
            let slope = b.mul(y, rest);
            Some(b.mul(dy, slope))
        }],
        wgsl: "mlc_sigmoid({0})",
        cpu: Cpu::Strip("mlc_sigmoid"),
    }
    /// The Gauss error function.
    Erf(x) "erf" Float {
        eval: libm::erf(x),
        grad(b, _, dy): [{
            let scale = b.constant(std::f64::consts::FRAC_2_SQRT_PI);
            let square = b.mul(x, x);
            let exponent = b.neg(square);
            let bell = b.exp(exponent);
            let slope = b.mul(bell, scale);
            Some(b.mul(dy, slope))
        }],
        wgsl: "mlc_erf({0})",
        cpu: Cpu::Strip("mlc_erf"),
    }
    /// The sine of `x` radians.
    Sin(x) "sin" Float {
        eval: libm::sin(x),
        grad(b, _, dy): [{ let c = b.cos(x); Some(b.mul(dy, c)) }],
        wgsl: "mlc_sin({0})",
        cpu: Cpu::Strip("mlc_sin"),
    }
    /// The cosine of `x` radians.
    Cos(x) "cos" Float {
        eval: libm::cos(x),
        grad(b, _, dy): [{ let s = b.sin(x); let slope = b.neg(s); Some(b.mul(dy, slope)) }],
        wgsl: "mlc_cos({0})",
        cpu: Cpu::Strip("mlc_cos"),
    }
    /// The largest whole number not above `x`.
    Floor(x) "floor" Float {
        eval: x.floor(),
        grad(_, _, _): [None],
        wgsl: "floor({0})",
        cpu: Cpu::Inline,
    }
    /// The sum; also of two `i32`, as are `sub`, `mul`, `max`, `min` and the comparisons.
    Add(x, y) "add" Number {
        eval: x + y,
        grad(_, _, dy): [Some(dy), Some(dy)],
        wgsl: "{0} + {1}",
        cpu: Cpu::Inline,
    }
    /// The difference.
    Sub(x, y) "sub" Number {
        eval: x - y,
        grad(b, _, dy): [Some(dy), Some(b.neg(dy))],
        wgsl: "{0} - {1}",
        cpu: Cpu::Inline,
    }
    /// The product.
    Mul(x, y) "mul" Number {
        eval: x * y,
        grad(b, _, dy): [Some(b.mul(dy, y)), Some(b.mul(dy, x))],
        wgsl: "{0} * {1}",
        cpu: Cpu::Inline,
    }
    /// The quotient.
    Div(x, y) "div" Float {
        eval: x / y,
        grad(b, q, dy): [Some(b.div(dy, y)), {
            let share = b.div(dy, y);
            let product = b.mul(share, q);
            Some(b.neg(product))
        }],
        wgsl: "mlc_div({0}, {1})",
        cpu: Cpu::Strip("mlc_div"),
    }
    /// `x` to the power of `y`. Where `x` is not positive no gradient reaches `y`.
    Pow(x, y) "pow" Float {
        eval: libm::pow(x, y),
        grad(b, p, dy): [power_slope(b, x, y).map(|slope| b.mul(dy, slope)), {
            if b.is_constant(y) { None } else {
                let (zero, one) = (b.constant(0.0), b.constant(1.0));
                let positive = b.gt(x, zero);
                let base = b.select(positive, x, one);
                let log = b.log(base);
                let slope = b.mul(p, log);
                let flow = b.mul(dy, slope);
                Some(b.select(positive, flow, zero))
            }
        }],
        wgsl: "mlc_pow({0}, {1})",
        cpu: Cpu::Strip("mlc_pow"),
    }
    /// The larger one; not a number if either is not.
    Max(x, y) "max" Number {
        eval: if x.is_nan() || x > y { x } else { y },
        grad(b, _, dy): [side(b, ScalarOp::Gt, x, y, dy), side(b, ScalarOp::Gt, y, x, dy)],
        wgsl: "mlc_max({0}, {1})" of f32, "max({0}, {1})" of whole numbers,
        cpu: Cpu::Inline,
    }
    /// The smaller one; not a number if either is not.
    Min(x, y) "min" Number {
        eval: if x.is_nan() || x < y { x } else { y },
        grad(b, _, dy): [side(b, ScalarOp::Lt, x, y, dy), side(b, ScalarOp::Lt, y, x, dy)],
        wgsl: "mlc_min({0}, {1})" of f32, "min({0}, {1})" of whole numbers,
        cpu: Cpu::Inline,
    }
    /// 1 where both are equal, else 0. Comparisons give `f32`.
    Eq(x, y) "eq" Compare {
        eval: truth(x == y),
        grad(_, _, _): [None, None],
        wgsl: "select(0.0, 1.0, {0} == {1})",
        cpu: Cpu::Inline,
    }
    /// 1 where they differ, else 0.
    Ne(x, y) "ne" Compare {
        eval: truth(x != y),
        grad(_, _, _): [None, None],
        wgsl: "select(1.0, 0.0, {0} == {1})",
        cpu: Cpu::Inline,
    }
    /// 1 where `x < y`, else 0.
    Lt(x, y) "lt" Compare {
        eval: truth(x < y),
        grad(_, _, _): [None, None],
        wgsl: "select(0.0, 1.0, {0} < {1})",
        cpu: Cpu::Inline,
    }
    /// 1 where `x <= y`, else 0.
    Le(x, y) "le" Compare {
        eval: truth(x <= y),
        grad(_, _, _): [None, None],
        wgsl: "select(0.0, 1.0, {0} <= {1})",
        cpu: Cpu::Inline,
    }
    /// 1 where `x > y`, else 0.
    Gt(x, y) "gt" Compare {
        eval: truth(x > y),
        grad(_, _, _): [None, None],
        wgsl: "select(0.0, 1.0, {0} > {1})",
        cpu: Cpu::Inline,
    }
    /// 1 where `x >= y`, else 0.
    Ge(x, y) "ge" Compare {
        eval: truth(x >= y),
        grad(_, _, _): [None, None],
        wgsl: "select(0.0, 1.0, {0} >= {1})",
        cpu: Cpu::Inline,
    }
    /// `select(c, x, y)` is `x` where `c` is not 0; `x` and `y` also `i32`.
    Select(c, x, y) "select" Select {
        eval: if c != 0.0 { x } else { y },
        grad(b, _, dy): [
            None,
            { let zero = b.constant(0.0); Some(b.select(c, dy, zero)) },
            { let zero = b.constant(0.0); Some(b.select(c, zero, dy)) }
        ],
        wgsl: "select({1}, {2}, {0} == 0.0)",
        cpu: Cpu::Inline,
    }
    /// From `i32` or `u8`.
    ToF32(x) "to_f32" ToF32 {
        eval: x,
        grad(_, _, _): [None],
        wgsl: "f32({0})",
        cpu: Cpu::Inline,
    }
    /// From `f32` (towards zero, into range, 0 of what is no number) or `u8`.
    ToI32(x) "to_i32" ToI32 {
        eval: f64::from(x as i32),
        grad(_, _, _): [None],
        wgsl: "mlc_to_i32({0})" of f32, "i32({0})" of whole numbers,
        cpu: Cpu::Inline,
    }
    /// The input; its derivative is 0. Gone after differentiation.
    Stop(x) "stop" Number {
        eval: x,
        grad(_, _, _): [None],
        wgsl: "{0}",
        cpu: Cpu::Inline,
    }
}

impl ScalarOp {
    /// The row of the table.
    pub fn info(self) -> &'static Scalar {
        &TABLE[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.info().name
    }

    pub fn arity(self) -> usize {
        self.info().grads.len()
    }

    pub fn by_name(name: &str) -> Option<ScalarOp> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.op)
    }

    /// The value, in f64.
    pub fn eval(self, operands: &[f64]) -> f64 {
        (self.info().eval)(operands)
    }

    /// The element type of the result, or why these operands do not fit.
    pub fn result(self, operands: &[DType]) -> Result<DType, String> {
        use DType::{F32, I32, U8};
        let row = self.info();
        let number = |d: DType| matches!(d, F32 | I32);
        let all_are = |d: DType| operands.iter().all(|&o| o == d);
        let result = match (row.types, operands) {
            (_, _) if operands.len() != row.grads.len() => None,
            (Types::Float, _) => all_are(F32).then_some(F32),
            (Types::Number, [first, ..]) => (number(*first) && all_are(*first)).then_some(*first),
            (Types::Compare, [a, _]) => (number(*a) && all_are(*a)).then_some(F32),
            (Types::Select, [F32, a, b]) => (number(*a) && a == b).then_some(*a),
            (Types::ToF32, [I32 | U8]) => Some(F32),
            (Types::ToI32, [F32 | U8]) => Some(I32),
            (Types::Number | Types::Compare | Types::Select | Types::ToF32 | Types::ToI32, _) => None,
        };
        result.ok_or_else(|| {
            let names: Vec<&str> = operands.iter().map(|d| d.name()).collect();
            format!("{} does not take ({})", row.name, names.join(", "))
        })
    }

    /// Whether the order of two operands does not matter.
    pub fn commutes(self) -> bool {
        use ScalarOp::*;
        match self {
            Add | Mul | Max | Min | Eq | Ne => true,
            Neg | Abs | Sign | Exp | Expm1 | Log | Log1p | Sqrt | Rsqrt | Tanh | Sigmoid | Erf | Sin
            | Cos | Floor | Sub | Div | Pow | Lt | Le | Gt | Ge | Select | ToF32 | ToI32 | Stop => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_enum() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.op as usize, i);
            assert_eq!(ScalarOp::by_name(row.name), Some(row.op));
            assert!(!row.doc.is_empty());
            for operand in 0..row.grads.len() {
                assert!(row.wgsl.contains(&format!("{{{operand}}}")), "{} in WGSL", row.name);
            }
        }
    }

    #[test]
    fn commuting_rows_commute() {
        for row in TABLE.iter().filter(|r| r.op.commutes()) {
            for (x, y) in [(1.5, -2.0), (0.0, 3.0), (-1.0, -1.0)] {
                assert_eq!((row.eval)(&[x, y]), (row.eval)(&[y, x]), "{}", row.name);
            }
        }
    }

    #[test]
    fn conversions_and_ties() {
        assert_eq!(ScalarOp::ToI32.eval(&[-2.7]), -2.0);
        assert_eq!(ScalarOp::ToI32.eval(&[f64::NAN]), 0.0);
        assert_eq!(ScalarOp::Sign.eval(&[0.0]), 0.0);
        assert!(ScalarOp::Max.eval(&[1.0, f64::NAN]).is_nan());
        assert!(ScalarOp::Max.eval(&[f64::NAN, 1.0]).is_nan());
    }
}
