//! The error function.
//!
//! `x + x P(x^2)` near 0, and `1 - e^Q(|x|)` with the sign of `x` further out: the minimax
//! polynomials of N. Juffa's `erff` (2018).

use super::exp::exp_inside;
use super::{Function1, polynomial};
use crate::simd::Simd;

pub(crate) struct Erf;

impl Function1 for Erf {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        let square = s.mul(x, x);
        #[rustfmt::skip]
        let p = polynomial(s, square, &[
            -5.967_617e-4, 4.991_194_2e-3, -2.676_813_5e-2, 0.112_819_925, -0.376_125_34, 0.128_379_17,
        ]);
        let near = s.fma(p, x, x);

        // Beyond 4 it is 1 to the last bit. `min` gives its second argument for NaN.
        let t = s.min(s.splat(4.0), s.abs(x));
        let square = s.mul(t, t);
        let high = polynomial(s, t, &[-1.728_534_7e-5, 3.831_975e-4]);
        let low = polynomial(s, t, &[-3.883_963_6e-3, 2.425_462_2e-2]);
        let q = s.fma(high, square, low);
        let q = s.fma(q, t, s.splat(-0.106_777_88));
        let q = s.fma(q, t, s.splat(-0.634_846_7));
        let q = s.fma(q, t, s.splat(-0.128_717_51));
        let q = s.fma(q, t, s.neg(t));
        let far = s.with_sign(s.sub(s.splat(1.0), exp_inside(s, q)), x);

        let y = s.select(s.lt(t, s.splat(0.927_734_4)), near, far);
        s.select(s.eq(x, x), y, x)
    }
}
