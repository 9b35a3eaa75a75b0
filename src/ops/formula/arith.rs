//! Operators: numbers fold exactly, tensors broadcast as in NumPy.

use super::item::{Number, Operand};
use crate::base::{DType, Dim, Shape, Span};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value, broadcast_shapes};
use crate::syntax::ast::BinOp;

type Built = Result<Operand, Diagnostic>;

/// Applies a binary operator. Each operand comes with its place in the text.
pub fn arith(b: &mut Builder, op: BinOp, left: (Operand, Span), right: (Operand, Span), span: Span) -> Built {
    if let (Operand::Number(l), Operand::Number(r)) = (&left.0, &right.0)
        && let Some(folded) = fold(op, l, r, right.1)
    {
        return folded.map(Operand::Number);
    }
    match op {
        // Exact, so that a factor left at its default leaves no trace.
        BinOp::Mul if is_one(&left.0) && is_f32(b, &right.0) => Ok(right.0),
        BinOp::Mul if is_one(&right.0) && is_f32(b, &left.0) => Ok(left.0),
        BinOp::MatMul => matmul(b, left, right, span),
        BinOp::Pow => power(b, left, right, span),
        BinOp::Div => {
            let (l, r) = (as_f32(b, &left.0), as_f32(b, &right.0));
            check_broadcast(b, op.sign(), (l, left.1), (r, right.1), span)?;
            Ok(b.div(l, r).into())
        }
        BinOp::Add
        | BinOp::Sub
        | BinOp::Mul
        | BinOp::Eq
        | BinOp::Ne
        | BinOp::Lt
        | BinOp::Le
        | BinOp::Gt
        | BinOp::Ge => {
            let (l, r) = promote(b, &left.0, &right.0);
            check_broadcast(b, op.sign(), (l, left.1), (r, right.1), span)?;
            Ok(elementwise(b, op, l, r).into())
        }
    }
}

fn elementwise(b: &mut Builder, op: BinOp, l: Value, r: Value) -> Value {
    match op {
        BinOp::Add => b.add(l, r),
        BinOp::Sub => b.sub(l, r),
        BinOp::Mul => b.mul(l, r),
        BinOp::Div => b.div(l, r),
        BinOp::Pow => b.pow(l, r),
        BinOp::Eq => b.eq(l, r),
        BinOp::Ne => b.ne(l, r),
        BinOp::Lt => b.lt(l, r),
        BinOp::Le => b.le(l, r),
        BinOp::Gt => b.gt(l, r),
        BinOp::Ge => b.ge(l, r),
        BinOp::MatMul => unreachable!("arith: a product is no elementwise operator"),
    }
}

fn is_one(x: &Operand) -> bool {
    match x {
        Operand::Number(n) => n.as_f64() == Some(1.0),
        Operand::Tensor(_) => false,
    }
}

fn is_f32(b: &Builder, x: &Operand) -> bool {
    match x {
        Operand::Number(_) => false,
        Operand::Tensor(v) => b.dtype(*v) == DType::F32,
    }
}

/// `-x`
pub fn negate(b: &mut Builder, x: Operand) -> Operand {
    match x {
        Operand::Number(Number::Int(dim)) => (dim * Dim::from(-1)).into(),
        Operand::Number(Number::Float(x)) => (-x).into(),
        Operand::Tensor(v) => {
            let v = if b.ty(v).dtype == DType::U8 { b.to_i32(v) } else { v };
            if b.ty(v).dtype == DType::I32 {
                let zero = b.int(0);
                return b.sub(zero, v).into();
            }
            b.neg(v).into()
        }
    }
}

/// The operand as a tensor; whole numbers become `f32` too.
pub fn tensor_of(b: &mut Builder, x: &Operand) -> Value {
    match x {
        Operand::Tensor(v) => *v,
        Operand::Number(Number::Float(x)) => b.constant(*x),
        Operand::Number(Number::Int(dim)) => match dim.as_const() {
            Some(n) => b.constant(n as f64),
            None => b.size(dim),
        },
    }
}

/// The operand as an `f32` tensor.
pub fn as_f32(b: &mut Builder, x: &Operand) -> Value {
    let v = tensor_of(b, x);
    match b.ty(v).dtype {
        DType::F32 => v,
        DType::I32 | DType::U8 => b.to_f32(v),
    }
}

/// Both as tensors of one type: `i32` if both are whole and one is a tensor of whole
/// numbers, else `f32`.
pub fn promote(b: &mut Builder, l: &Operand, r: &Operand) -> (Value, Value) {
    let whole = |b: &Builder, x: &Operand| match x {
        Operand::Number(Number::Int(_)) => true,
        Operand::Number(Number::Float(_)) => false,
        Operand::Tensor(v) => b.ty(*v).dtype != DType::F32,
    };
    if whole(b, l) && whole(b, r) { (as_i32(b, l), as_i32(b, r)) } else { (as_f32(b, l), as_f32(b, r)) }
}

fn as_i32(b: &mut Builder, x: &Operand) -> Value {
    match x {
        Operand::Number(Number::Int(dim)) => match dim.as_const() {
            Some(n) => b.int(n),
            None => {
                let size = b.size(dim);
                b.to_i32(size)
            }
        },
        Operand::Number(Number::Float(_)) => unreachable!("arith: only whole operands come here"),
        Operand::Tensor(v) if b.ty(*v).dtype == DType::I32 => *v,
        Operand::Tensor(v) => b.to_i32(*v),
    }
}

/// Both shapes must broadcast; else the diagnostic labels both.
pub fn check_broadcast(
    b: &Builder,
    what: &str,
    left: (Value, Span),
    right: (Value, Span),
    span: Span,
) -> Result<Shape, Diagnostic> {
    let (l, r) = (b.ty(left.0), b.ty(right.0));
    broadcast_shapes(&l.shape, &r.shape).ok_or_else(|| {
        Diagnostic::error(
            "shape::mismatch",
            format!("`{what}` cannot combine {l} and {r}"),
            span,
            "shapes clash here",
        )
        .label(left.1, format!("this is {l}"))
        .label(right.1, format!("this is {r}"))
        .help("axes are matched from the right: make each pair equal, or one of the two 1")
    })
}

/// Numbers with numbers. `None`: not a number while compiling, since a symbol is in it.
fn fold(op: BinOp, l: &Number, r: &Number, right: Span) -> Option<Result<Number, Diagnostic>> {
    if let (Number::Int(l), Number::Int(r)) = (l, r) {
        return fold_int(op, l, r, right);
    }
    let (x, y) = (l.as_f64()?, r.as_f64()?);
    Some(Ok(match op {
        BinOp::Add => Number::Float(x + y),
        BinOp::Sub => Number::Float(x - y),
        BinOp::Mul => Number::Float(x * y),
        BinOp::Div if y == 0.0 => return Some(Err(zero_division(right))),
        BinOp::Div => Number::Float(x / y),
        BinOp::Pow => Number::Float(x.powf(y)),
        BinOp::Eq => truth(x == y),
        BinOp::Ne => truth(x != y),
        BinOp::Lt => truth(x < y),
        BinOp::Le => truth(x <= y),
        BinOp::Gt => truth(x > y),
        BinOp::Ge => truth(x >= y),
        BinOp::MatMul => return None,
    }))
}

fn fold_int(op: BinOp, l: &Dim, r: &Dim, right: Span) -> Option<Result<Number, Diagnostic>> {
    let (x, y) = (l.as_const(), r.as_const());
    let both = x.zip(y);
    let overflow = |n: Option<i64>| n.map(|n| Number::Int(Dim::from(n))).ok_or_else(|| too_large(right));
    match (op, both) {
        (BinOp::Add, Some((x, y))) => Some(overflow(x.checked_add(y))),
        (BinOp::Sub, Some((x, y))) => Some(overflow(x.checked_sub(y))),
        (BinOp::Mul, Some((x, y))) => Some(overflow(x.checked_mul(y))),
        (BinOp::Add, None) => Some(Ok(Number::Int(l.clone() + r.clone()))),
        (BinOp::Sub, None) => Some(Ok(Number::Int(l.clone() - r.clone()))),
        (BinOp::Mul, None) => Some(Ok(Number::Int(l.clone() * r.clone()))),
        (BinOp::Div, _) if y == Some(0) => Some(Err(zero_division(right))),
        (BinOp::Div, _) => match (l.div_exact(r), both) {
            (Some(quotient), _) => Some(Ok(Number::Int(quotient))),
            (None, Some((x, y))) => Some(Ok(Number::Float(x as f64 / y as f64))),
            (None, None) => None,
        },
        (BinOp::Pow, Some((x, y))) => Some(match u32::try_from(y) {
            Ok(y) => overflow(x.checked_pow(y)),
            Err(_) => Ok(Number::Float((x as f64).powf(y as f64))),
        }),
        (BinOp::Eq, Some((x, y))) => Some(Ok(truth(x == y))),
        (BinOp::Ne, Some((x, y))) => Some(Ok(truth(x != y))),
        (BinOp::Lt, Some((x, y))) => Some(Ok(truth(x < y))),
        (BinOp::Le, Some((x, y))) => Some(Ok(truth(x <= y))),
        (BinOp::Gt, Some((x, y))) => Some(Ok(truth(x > y))),
        (BinOp::Ge, Some((x, y))) => Some(Ok(truth(x >= y))),
        (BinOp::MatMul, _)
        | (BinOp::Pow | BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge, None) => None,
    }
}

fn truth(x: bool) -> Number {
    Number::Int(Dim::from(i64::from(x)))
}

fn zero_division(span: Span) -> Diagnostic {
    Diagnostic::error("number::zero", "division by zero", span, "this is 0").help("divide by something else")
}

fn too_large(span: Span) -> Diagnostic {
    Diagnostic::error("number::large", "this number does not fit 64 bits", span, "too large here")
        .help("use smaller numbers, or write one of them with a point")
}

/// The largest whole exponent that becomes products.
const PRODUCTS: i64 = 4;

/// `x ^ y`: products for small whole exponents, exact and cheap to differentiate.
fn power(b: &mut Builder, base: (Operand, Span), exponent: (Operand, Span), span: Span) -> Built {
    let x = as_f32(b, &base.0);
    if let Operand::Number(n) = &exponent.0 {
        match n.as_f64() {
            Some(n) if n.fract() == 0.0 && (1.0..=PRODUCTS as f64).contains(&n) => {
                return Ok((1..n as i64).fold(x, |product, _| b.mul(product, x)).into());
            }
            Some(0.5) => return Ok(b.sqrt(x).into()),
            Some(_) | None => {}
        }
    }
    let y = as_f32(b, &exponent.0);
    check_broadcast(b, "^", (x, base.1), (y, exponent.1), span)?;
    Ok(b.pow(x, y).into())
}

/// `a @ b`: the last axis of `a` with the last but one of `b`; further axes of `b` must be
/// those that `a` has in front.
fn matmul(b: &mut Builder, left: (Operand, Span), right: (Operand, Span), span: Span) -> Built {
    let (l, r) = (as_f32(b, &left.0), as_f32(b, &right.0));
    let (ls, rs) = (b.shape(l).clone(), b.shape(r).clone());
    let fits = match (ls.rank(), rs.rank()) {
        (0, _) | (_, 0) => false,
        (n, 1) => ls[n - 1] == rs[0],
        (n, 2) => ls[n - 1] == rs[0],
        (n, m) => n == m && ls[..n - 2] == rs[..m - 2] && ls[n - 1] == rs[m - 2],
    };
    if !fits {
        let (l, r) = (b.ty(l).to_string(), b.ty(r).to_string());
        let d = Diagnostic::error(
            "shape::matmul",
            format!("`@` cannot multiply {l} by {r}"),
            span,
            "shapes clash here",
        )
        .label(left.1, format!("this is {l}"))
        .label(right.1, format!("this is {r}"));
        return Err(d.help(
            "the last axis on the left must be the last but one on the right; `transpose` swaps the last two",
        ));
    }
    Ok(match rs.rank() {
        1 => b.contract("..k,k->..", l, r),
        2 => b.contract("..k,kn->..n", l, r),
        _ => b.contract("..mk,..kn->..mn", l, r),
    }
    .into())
}
