//! Powers.
//!
//! `|x|^y = e^(y log |x|)` with the logarithm as the sum of two numbers, so that multiplying by a
//! large `y` leaves enough bits (the method of N. Juffa's `powf`, 2018).

use super::exp::exp;
use super::log::split;
use super::{Function2, polynomial};
use crate::simd::Simd;

/// `log x` of a positive normal number as `(high, low)`, by `2 artanh((m - 1) / (m + 1)) + e ln 2`.
#[inline(always)]
fn log_in_two<S: Simd>(s: S, x: S::F) -> (S::F, S::F) {
    const LN2: f32 = std::f32::consts::LN_2;
    const LN2_REST: f32 = -1.904_654_2e-9;
    let (e, m) = split(s, x);
    let (e, two) = (s.to_float(e), s.splat(2.0));

    // q = (m - 1) / (m + 1) as q + q_rest.
    let (up, down) = (s.add(m, s.splat(1.0)), s.sub(m, s.splat(1.0)));
    let inverse = s.div(s.splat(1.0), up);
    let q = s.mul(inverse, down);
    let q_rest = s.mul(inverse, s.fma(q, s.neg(down), s.fma(q, s.splat(-2.0), down)));

    // The cube of q as cube + cube_rest.
    let square = s.mul(q, q);
    let square_rest = s.fma(q, s.add(q_rest, q_rest), s.fma(q, q, s.neg(square)));
    let cube = s.mul(square, q);
    let cube_rest = s.fma(square_rest, q, s.fma(square, q, s.neg(cube)));
    let cube_rest = s.fma(square, q_rest, cube_rest);

    // (artanh q - q) / q^3, interpolated at the Chebyshev points of q^2 up to 0.0295.
    let p = polynomial(s, square, &[0.115_240_77, 0.142_811_2, 0.200_000_08, 0.333_333_34]);
    let small = s.fma(p, cube, s.fma(p, cube_rest, q_rest));
    let double = s.add(q, q);
    let high = s.fma(s.splat(LN2), e, double);
    let lost = s.sub(double, s.fma(s.splat(-LN2), e, high));
    let low = s.fma(s.splat(LN2_REST), e, s.fma(two, small, lost));
    let sum = s.add(high, low);
    (sum, s.add(s.sub(high, sum), low))
}

/// Whether `y` is whole, and whether it is odd.
#[inline(always)]
fn whole_and_odd<S: Simd>(s: S, y: S::F) -> (S::M, S::M) {
    // From 2^23 on all are whole, from 2^24 on all are even; below, adding 2^23 rounds to whole
    // numbers with the last bit in the last place.
    let a = s.abs(y);
    let shift = s.splat(8_388_608.0);
    let shifted = s.add(a, shift);
    let rounded = s.sub(shifted, shift);
    let large = s.lt(s.splat(8_388_607.5), a);
    let whole = s.either(large, s.eq(rounded, a));
    let last = |x: S::F| s.ieq(s.iand(s.bits(x), s.isplat(1)), s.isplat(1));
    let below_2_24 = s.lt(a, s.splat(16_777_216.0));
    // Between 2^23 and 2^24 the number's own last bit tells.
    let bit = s.select(large, a, shifted);
    (whole, s.both(s.both(whole, below_2_24), last(bit)))
}

pub(crate) struct Pow;

impl Function2 for Pow {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F, y: S::F) -> S::F {
        let (zero, one, inf) = (s.splat(0.0), s.splat(1.0), s.splat(f32::INFINITY));
        let a = s.abs(x);
        let (high, low) = log_in_two(s, a);
        // Bounded, so that the parts of the product stay finite; e^1000 overflows all the same.
        let y_near = s.max(s.splat(-1e30), s.min(s.splat(1e30), y));
        let product = s.mul(high, y_near);
        let rest = s.fma(low, y_near, s.fma(high, y_near, s.neg(product)));
        let power = exp(s, product);
        // e^(p + d) = e^p + e^p d; not where e^p is 0 or infinite.
        let finite = s.both(s.lt(power, inf), s.lt(zero, power));
        let mut z = s.select(finite, s.fma(power, rest, power), power);

        // The ends of the range: 0^y and inf^y are 0 or inf by the sign of y.
        let grows = s.lt(zero, y);
        let is_zero = s.lt(a, s.splat(f32::MIN_POSITIVE));
        z = s.select(is_zero, s.select(grows, zero, inf), z);
        z = s.select(s.eq(a, inf), s.select(grows, inf, zero), z);

        // Negative bases: the sign of odd powers, no value for broken ones.
        let (whole, odd) = whole_and_odd(s, y);
        let negative = s.lt(s.float(s.ior(s.iand(s.bits(x), s.isplat(i32::MIN)), s.bits(one))), zero);
        z = s.select(s.both(negative, odd), s.neg(z), z);
        let broken = s.both(s.lt(x, zero), s.lt(a, inf));
        let broken = s.both(broken, s.lt(s.splat(f32::MIN_POSITIVE / 2.0), a));
        z = s.select(whole, z, s.select(s.both(broken, s.lt(a, inf)), s.splat(f32::NAN), z));

        // NaN, then what is 1 whatever the other is.
        z = s.select(s.eq(x, x), z, x);
        z = s.select(s.eq(y, y), z, y);
        // (-1)^(+-inf) is 1 too: infinite powers count as even.
        z = s.select(s.both(s.eq(a, one), s.eq(s.abs(y), inf)), one, z);
        s.select(s.either(s.eq(x, one), s.eq(y, zero)), one, z)
    }
}
