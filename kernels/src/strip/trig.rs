//! Sine and cosine.
//!
//! `x = n pi/2 + r` with `|r| <= pi/4`: up to 71476 by three fused multiply-adds, beyond, lane by
//! lane, by Payne and Hanek's method (1983). The polynomials are minimax (N. Juffa).

use super::exp::ROUND;
use super::{Function1, polynomial};
use crate::simd::Simd;
use std::f64::consts::FRAC_PI_2;

/// Up to here `n` times the parts of `pi/2` leaves enough bits of `r`.
const NEAR: f32 = 71_476.0;

/// `pi / 2` as a sum; products of the first part with `n` are nearly exact.
#[allow(clippy::approx_constant, reason = "the first part is cut short on purpose")]
const HALF_PI: [f32; 3] = [1.570_796, 3.139_164_7e-7, 5.390_302_5e-15];

pub(crate) struct Sin;

impl Function1 for Sin {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        eval(s, x, 0)
    }
}

pub(crate) struct Cos;

impl Function1 for Cos {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        eval(s, x, 1)
    }
}

/// The sine `ahead` quarter turns further on.
#[inline(always)]
fn eval<S: Simd>(s: S, x: S::F, ahead: i32) -> S::F {
    let y = near(s, x, ahead);
    let beyond = s.lt(s.splat(NEAR), s.abs(x));
    if s.any(beyond) { far_lanes(s, x, y, ahead) } else { y }
}

#[inline(always)]
fn near<S: Simd>(s: S, x: S::F, ahead: i32) -> S::F {
    let shifted = s.fma(x, s.splat(std::f32::consts::FRAC_2_PI), s.splat(ROUND));
    let n = s.sub(shifted, s.splat(ROUND));
    let r = HALF_PI.iter().fold(x, |r, part| s.fma(n, s.splat(-part), r));
    let square = s.mul(r, r);

    let sine = polynomial(s, square, &[2.865_679_6e-6, -1.985_599_2e-4, 8.333_386e-3, -0.166_666_67]);
    let sine = s.fma(sine, s.mul(r, square), r);
    let cosine = polynomial(s, square, &[2.446_770_7e-5, -1.388_772_9e-3, 4.166_665_7e-2, -0.5, 1.0]);

    let turns = s.iadd(s.bits(shifted), s.isplat(ahead));
    let even = s.ieq(s.iand(turns, s.isplat(1)), s.isplat(0));
    let y = s.select(even, sine, cosine);
    // The second half turn is the first, negated: bit 1 of the count becomes the sign.
    s.float(s.ixor(s.bits(y), s.shl::<30>(s.iand(turns, s.isplat(2)))))
}

/// `y` with the lanes of large `x` computed one by one.
#[inline(always)]
fn far_lanes<S: Simd>(s: S, x: S::F, y: S::F, ahead: i32) -> S::F {
    let (mut xs, mut ys) = ([0f32; 16], [0f32; 16]);
    // SAFETY: no vector has more than 16 lanes.
    unsafe {
        s.store(xs.as_mut_ptr(), x);
        s.store(ys.as_mut_ptr(), y);
        for (x, y) in xs.iter().zip(&mut ys) {
            if x.abs() > NEAR {
                *y = far(*x, ahead);
            }
        }
        s.load(ys.as_ptr())
    }
}

/// The first 256 bits of `2 / pi` behind the point.
const TWO_OVER_PI: [u64; 4] =
    [0xa2f9_836e_4e44_1529, 0xfc27_57d1_f534_ddc0, 0xdb62_9599_3c43_9041, 0xfe51_63ab_debb_c561];

/// The same for one number beyond [`NEAR`], in integers and `f64`.
fn far(x: f32, ahead: i32) -> f32 {
    if !x.is_finite() {
        return f32::NAN;
    }
    // x = mantissa * 2^exponent; what counts is x * 2/pi modulo 4, in 128 bits behind the point:
    // so bits of 2/pi that are whole multiples of 4 are skipped.
    let bits = x.to_bits();
    let exponent = (bits >> 23 & 0xff) as i32 - 150;
    let mantissa = u128::from(bits & 0x7f_ffff | 0x80_0000);
    let turns = mantissa.wrapping_mul(two_over_pi_from(exponent - 2));
    let quarter = turns.wrapping_add(1 << 125) >> 126;
    let rest = turns.wrapping_sub(quarter << 126).cast_signed();
    let r = rest as f64 * (FRAC_PI_2 / (1u128 << 126) as f64);
    let (r, quarter) = if x < 0.0 { (-r, 4 - quarter as i32) } else { (r, quarter as i32) };

    let square = r * r;
    // Taylor: the first terms left out are below 2e-13.
    let series = |c: &[f64]| c.iter().fold(0.0, |sum, c| sum * square + c);
    let sine = [
        1.0 / 6_227_020_800.0,
        -1.0 / 39_916_800.0,
        1.0 / 362_880.0,
        -1.0 / 5_040.0,
        1.0 / 120.0,
        -1.0 / 6.0,
    ];
    let cosine = [1.0 / 479_001_600.0, -1.0 / 3_628_800.0, 1.0 / 40_320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5];
    let turns = quarter + ahead;
    let y = if turns & 1 == 0 { r + r * square * series(&sine) } else { 1.0 + square * series(&cosine) };
    (if turns & 2 == 0 { y } else { -y }) as f32
}

/// 128 bits of the fraction of `2/pi * 2^shift`, for `-9 <= shift <= 102`.
fn two_over_pi_from(shift: i32) -> u128 {
    let [a, b, c, d] = TWO_OVER_PI.map(u128::from);
    let (high, low) = (a << 64 | b, c << 64 | d);
    match shift {
        0 => high,
        1.. => high << shift | low >> (128 - shift),
        _ => high >> -shift,
    }
}
