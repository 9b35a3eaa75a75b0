//! The exponential and its relatives.
//!
//! `e^x = 2^n e^r` with `n = round(x / ln 2)` and `r = x - n ln 2`, `|r| <= ln 2 / 2`. The product
//! `n ln 2` is subtracted in two parts, each by a fused multiply-add. The polynomial for
//! `(e^r - 1 - r) / r^2` is that of SLEEF's `expf` (Shibata and Petrogalli, 2020).

use super::{Function1, polynomial};
use crate::simd::Simd;

/// Added and taken away again, it rounds to a whole number, which then stands in the low bits.
pub(super) const ROUND: f32 = 12_582_912.0;
/// `ln 2` as the sum of two numbers, the first so short that its products with `n` are exact.
pub(super) const LN2_HIGH: f32 = 0.693_145_75;
pub(super) const LN2_LOW: f32 = 1.428_606_8e-6;

/// Results above overflow: the last number below the logarithm of 2^128.
const HIGHEST: f32 = 88.722_83;
/// The logarithm of the smallest normal `f32`.
const LOWEST: f32 = -87.336_54;

/// `(n as bits in the low part of a float, e^r - 1)`
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::F) -> (S::F, S::F) {
    let shifted = s.fma(x, s.splat(std::f32::consts::LOG2_E), s.splat(ROUND));
    let n = s.sub(shifted, s.splat(ROUND));
    let r = s.fma(n, s.splat(-LN2_HIGH), x);
    let r = s.fma(n, s.splat(-LN2_LOW), r);
    #[rustfmt::skip]
    let q = polynomial(s, r, &[1.985_276_2e-4, 1.393_043_6e-3, 8.333_361e-3, 4.166_648_5e-2, 0.166_666_67, 0.5]);
    (shifted, s.fma(s.mul(r, r), q, r))
}

/// `e^x` for `x` between about -87.3 and 88.7; garbage elsewhere.
#[inline(always)]
pub(super) fn exp_inside<S: Simd>(s: S, x: S::F) -> S::F {
    let (shifted, p) = reduce(s, x);
    let p = s.add(p, s.splat(1.0));
    // 2^n by adding n to the exponent: the result is normal within the range.
    s.float(s.iadd(s.bits(p), s.shl::<23>(s.bits(shifted))))
}

#[inline(always)]
pub(super) fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    let y = exp_inside(s, x);
    let y = s.select(s.lt(x, s.splat(LOWEST)), s.splat(0.0), y);
    let y = s.select(s.lt(s.splat(HIGHEST), x), s.splat(f32::INFINITY), y);
    s.select(s.eq(x, x), y, x)
}

/// `e^x - 1` for `x` from -17.4 (below which it is -1) to about 88.7; garbage elsewhere.
#[inline(always)]
fn expm1_inside<S: Simd>(s: S, x: S::F) -> S::F {
    let (shifted, p) = reduce(s, x);
    // `2^n (e^r - 1) + (2^n - 1)`, all halved, since 2^128 is no number.
    let half = s.splat(0.5);
    let scale = s.float(s.iadd(s.bits(half), s.shl::<23>(s.bits(shifted))));
    let y = s.fma(scale, p, s.sub(scale, half));
    let y = s.add(y, y);
    // Where n is 0 nothing is scaled, so that small numbers keep all their bits.
    s.select(s.lt(s.abs(x), s.splat(0.346)), p, y)
}

pub(crate) struct Exp;

impl Function1 for Exp {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        exp(s, x)
    }
}

pub(crate) struct Expm1;

impl Function1 for Expm1 {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        // `max` gives its second argument for NaN.
        let y = expm1_inside(s, s.max(s.splat(-17.4), x));
        let y = s.select(s.lt(s.splat(HIGHEST), x), s.splat(f32::INFINITY), y);
        // Zero keeps its sign, and NaN stays.
        s.select(s.either(s.lt(x, s.splat(0.0)), s.lt(s.splat(0.0), x)), y, x)
    }
}

/// With `e^x = 2^n (1 + p)`: `2^n`, `p`, `e^x`, and `1 + e^x` rounded once, for `x` from about -87.3 to 0.
#[inline(always)]
fn exp_and_more<S: Simd>(s: S, x: S::F) -> (S::F, S::F, S::F, S::F) {
    let (shifted, p) = reduce(s, x);
    let one = s.splat(1.0);
    let scale = s.float(s.iadd(s.bits(one), s.shl::<23>(s.bits(shifted))));
    (scale, p, s.fma(scale, p, scale), s.fma(scale, p, s.add(one, scale)))
}

/// `1 / (1 + e)`, below zero `e / (1 + e)`, with `e = e^-|x|`. The sum is of numbers up to 1, and what its rounding took is
/// given back.
pub(crate) struct Sigmoid;

impl Function1 for Sigmoid {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        // `min` gives its second argument for NaN.
        let a = s.min(s.splat(-LOWEST), s.abs(x));
        let (_, _, e, sum) = exp_and_more(s, s.neg(a));
        let lost = s.sub(e, s.sub(sum, s.splat(1.0)));
        let e = s.select(s.lt(x, s.splat(LOWEST)), s.splat(0.0), e);
        let q = s.div(s.select(s.lt(x, s.splat(0.0)), e, s.splat(1.0)), sum);
        s.fma(s.neg(q), lost, q)
    }
}

/// With `e = e^-2|x|`: `(1 - e) / (1 + e)` below 0.55, `1 - 2 e / (1 + e)` above, where the quotient is the smaller part;
/// and the sign of `x`.
pub(crate) struct Tanh;

impl Function1 for Tanh {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        // Beyond 9.1 it is 1 to the last bit. `min` gives its second argument for NaN.
        let a = s.min(s.splat(9.1), s.abs(x));
        let (one, small) = (s.splat(1.0), s.lt(a, s.splat(0.55)));
        let (scale, p, e, sum) = exp_and_more(s, s.mul(a, s.splat(-2.0)));
        let less = s.fma(s.neg(scale), p, s.sub(one, scale));
        let q = s.div(s.select(small, less, s.add(e, e)), sum);
        let y = s.with_sign(s.select(small, q, s.sub(one, q)), x);
        s.select(s.eq(x, x), y, x)
    }
}
