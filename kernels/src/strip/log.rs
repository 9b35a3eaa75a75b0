//! Natural logarithms.
//!
//! `log x = e ln 2 + log m` with `x = 2^e m` and `m` between the roots of 1/2 and 2. The polynomial
//! for `(log(1 + f) - f + f^2 / 2) / f^3` is that of Cephes' `logf` (Moshier, 1992).

use super::exp::{LN2_HIGH, LN2_LOW};
use super::{Function1, polynomial};
use crate::simd::Simd;

/// The bits of the root of 1/2: subtracted, they make the exponent change there.
const SQRT_HALF: i32 = 0x3f35_04f3;

/// `(e, m)` of a positive normal number; `e` as an integer.
#[inline(always)]
pub(super) fn split<S: Simd>(s: S, x: S::F) -> (S::I, S::F) {
    let shifted = s.isub(s.bits(x), s.isplat(SQRT_HALF));
    let mantissa = s.iand(shifted, s.isplat(0x007f_ffff));
    (s.sar::<23>(shifted), s.float(s.iadd(mantissa, s.isplat(SQRT_HALF))))
}

/// `e ln 2 + log(1 + f)`
#[inline(always)]
fn assemble<S: Simd>(s: S, e: S::F, f: S::F) -> S::F {
    #[rustfmt::skip]
    let p = polynomial(s, f, &[
        7.037_683_6e-2, -0.115_146_1, 0.116_769_99, -0.124_201_41, 0.142_493_23, -0.166_680_58,
        0.200_007_15, -0.249_999_94, 0.333_333_3,
    ]);
    let square = s.mul(f, f);
    let y = s.mul(s.mul(f, square), p);
    let y = s.fma(e, s.splat(LN2_LOW), y);
    let y = s.fma(s.splat(-0.5), square, y);
    s.fma(e, s.splat(LN2_HIGH), s.add(f, y))
}

/// What is not a positive finite number: `x` is where the logarithm of 0 would be.
#[inline(always)]
fn special<S: Simd>(s: S, x: S::F, y: S::F) -> S::F {
    // Infinity and NaN are their own logarithms.
    let y = s.select(s.lt(x, s.splat(f32::INFINITY)), y, x);
    let y = s.select(s.lt(x, s.splat(0.0)), s.splat(f32::NAN), y);
    s.select(s.lt(s.abs(x), s.splat(f32::MIN_POSITIVE)), s.splat(f32::NEG_INFINITY), y)
}

pub(crate) struct Log;

impl Function1 for Log {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        let (e, m) = split(s, x);
        special(s, x, assemble(s, s.to_float(e), s.sub(m, s.splat(1.0))))
    }
}

pub(crate) struct Log1p;

impl Function1 for Log1p {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        let one = s.splat(1.0);
        let u = s.add(x, one);
        let (e, _) = split(s, u);
        // `f = 2^-e (1 + x) - 1` rounded once; the scale is cut in two since 2^-128 is no number.
        let power = |e: S::I| s.float(s.isub(s.bits(one), s.shl::<23>(e)));
        let half = s.sar::<1>(e);
        let (first, second) = (power(half), power(s.isub(e, half)));
        let f = s.fma(s.mul(x, first), second, s.sub(s.mul(first, second), one));
        let y = special(s, u, assemble(s, s.to_float(e), f));
        // Zero keeps its sign.
        s.select(s.eq(x, s.splat(0.0)), x, y)
    }
}
