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

pub(crate) struct Sigmoid;

impl Function1 for Sigmoid {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        s.div(s.splat(1.0), s.add(s.splat(1.0), exp(s, s.neg(x))))
    }
}

/// `t / (t + 2)` with `t = e^2|x| - 1`, and the sign of `x`.
pub(crate) struct Tanh;

impl Function1 for Tanh {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        // Beyond 9.1 it is 1 to the last bit. `min` gives its second argument for NaN.
        let a = s.min(s.splat(9.1), s.abs(x));
        let t = expm1_inside(s, s.add(a, a));
        let y = s.with_sign(s.div(t, s.add(t, s.splat(2.0))), x);
        s.select(s.eq(x, x), y, x)
    }
}
