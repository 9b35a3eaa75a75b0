//! Functions of whole strips of numbers.
//!
//! Each function is written once, over [`Simd`](crate::simd::Simd): one formula, whose every step
//! rounds the same on every instruction set, so its bits do not depend on where it runs. `sqrt` and
//! `div` are IEEE 754's. The others promise an error in units in the last place (ULP) of the exact
//! result, against `f64` (tests sweep all bits with an odd stride; one test that is ignored by
//! default takes every number):
//!
//! | function | promised | worst of all numbers |
//! |---|---|---|
//! | `exp` | 2 | 0.99 |
//! | `expm1` | 2 | 1.44 |
//! | `log` | 2 | 0.85 |
//! | `log1p` | 2 | 1.40 |
//! | `tanh` | 2 | 1.90 |
//! | `sigmoid` | 2 | 1.97 |
//! | `erf` | 2 | 1.05 |
//! | `sin`, `cos` | 2 | 1.49 |
//! | `rsqrt` | 2 | 1.49 |
//! | `pow` | 2 | 1.47 (of 600,000 pairs) |
//!
//! Denormal arguments may count as 0 of their sign, and results below the smallest normal number
//! may be 0: what [`FlushDenormals`](crate::denormals::FlushDenormals) does to all arithmetic of a
//! step. NaN gives NaN; infinities give the limits.

mod erf;
mod exp;
mod formula;
mod log;
mod pow;
mod rows;
#[cfg(test)]
mod tests;
mod trig;

pub use formula::{Binary, Ref, Shift, Step, formula};
pub use rows::{mlc_max, mlc_sum};

use crate::isa::Isa;
use crate::simd::{Simd, with_simd};

/// A function of one number, for a vector of them.
pub(crate) trait Function1 {
    fn eval<S: Simd>(s: S, x: S::F) -> S::F;
}

/// A function of two numbers, for vectors of them.
pub(crate) trait Function2 {
    fn eval<S: Simd>(s: S, x: S::F, y: S::F) -> S::F;
}

/// `out[i] = f(x[i])` for `i < n`.
///
/// # Safety
/// The promise of [`Strip1Fn`](crate::abi::Strip1Fn); `isa` is available.
pub(crate) unsafe fn map1<G: Function1>(isa: Isa, n: usize, x: *const f32, out: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { with_simd!(isa, [G: Function1], map1_body(n: usize, x: *const f32, out: *mut f32)) }
}

#[inline(always)]
unsafe fn map1_body<S: Simd, G: Function1>(s: S, n: usize, x: *const f32, out: *mut f32) {
    let whole = n / S::LANES * S::LANES;
    // SAFETY: the promise of `map1`; each vector is read before its place is written.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            s.store(out.add(i), G::eval(s, s.load(x.add(i))));
        }
        if whole < n {
            let part = s.first(n - whole);
            let y = G::eval(s, s.load_part(part, x.add(whole)));
            s.store_part(part, out.add(whole), y);
        }
    }
}

/// `out[i] = f(x[i], y[i])` for `i < n`.
///
/// # Safety
/// The promise of [`Strip2Fn`](crate::abi::Strip2Fn); `isa` is available.
pub(crate) unsafe fn map2<G: Function2>(isa: Isa, n: usize, x: *const f32, y: *const f32, out: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        with_simd!(isa, [G: Function2], map2_body(n: usize, x: *const f32, y: *const f32, out: *mut f32))
    }
}

#[inline(always)]
unsafe fn map2_body<S: Simd, G: Function2>(s: S, n: usize, x: *const f32, y: *const f32, out: *mut f32) {
    let whole = n / S::LANES * S::LANES;
    // SAFETY: the promise of `map2`; each vector is read before its place is written.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            s.store(out.add(i), G::eval(s, s.load(x.add(i)), s.load(y.add(i))));
        }
        if whole < n {
            let part = s.first(n - whole);
            let z = G::eval(s, s.load_part(part, x.add(whole)), s.load_part(part, y.add(whole)));
            s.store_part(part, out.add(whole), z);
        }
    }
}

macro_rules! strips1 {
    ($($(#[$doc:meta])* $name:ident = $function:ty;)*) => { $(
        $(#[$doc])*
        /// # Safety
        /// `x` is readable and `out` writable for `n` numbers; they are equal or do not overlap.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(n: usize, x: *const f32, out: *mut f32) {
            // SAFETY: the caller's promise; the current instruction set is available.
            unsafe { map1::<$function>(Isa::current(), n, x, out) }
        }
    )* };
}

macro_rules! strips2 {
    ($($(#[$doc:meta])* $name:ident = $function:ty;)*) => { $(
        $(#[$doc])*
        /// # Safety
        /// `x` and `y` are readable and `out` writable for `n` numbers; `out` is one of them or
        /// overlaps neither.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(n: usize, x: *const f32, y: *const f32, out: *mut f32) {
            // SAFETY: the caller's promise; the current instruction set is available.
            unsafe { map2::<$function>(Isa::current(), n, x, y, out) }
        }
    )* };
}

strips1! {
    /// `e^x`; 0 below the smallest normal result.
    ///
    mlc_exp = exp::Exp;
    /// `e^x - 1`, exact near 0.
    ///
    mlc_expm1 = exp::Expm1;
    /// Natural logarithm: `-inf` at 0, NaN below.
    ///
    mlc_log = log::Log;
    /// `log(1 + x)`, exact near 0: `-inf` at -1, NaN below.
    ///
    mlc_log1p = log::Log1p;
    /// Hyperbolic tangent.
    ///
    mlc_tanh = exp::Tanh;
    /// `1 / (1 + e^-x)`
    ///
    mlc_sigmoid = exp::Sigmoid;
    /// The error function.
    ///
    mlc_erf = erf::Erf;
    /// Sine; right for every finite argument, slower beyond 71476.
    ///
    mlc_sin = trig::Sin;
    /// Cosine; right for every finite argument, slower beyond 71476.
    ///
    mlc_cos = trig::Cos;
    /// Square root, correctly rounded.
    ///
    mlc_sqrt = Sqrt;
    /// `1 / sqrt(x)`: the square root and the quotient are each rounded.
    ///
    mlc_rsqrt = Rsqrt;
}

strips2! {
    /// `x / y`, correctly rounded.
    ///
    mlc_div = Div;
    /// `x^y` as C's `powf` has it: 1 where `y` is 0 or `x` is 1; NaN for negative `x` unless `y` is
    /// whole.
    ///
    mlc_pow = pow::Pow;
}

pub(crate) struct Sqrt;

impl Function1 for Sqrt {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        s.sqrt(x)
    }
}

pub(crate) struct Rsqrt;

impl Function1 for Rsqrt {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F) -> S::F {
        s.div(s.splat(1.0), s.sqrt(x))
    }
}

pub(crate) struct Div;

impl Function2 for Div {
    #[inline(always)]
    fn eval<S: Simd>(s: S, x: S::F, y: S::F) -> S::F {
        s.div(x, y)
    }
}

/// `c[0] x^n + c[1] x^(n-1) + ..`, by Horner's rule.
#[inline(always)]
pub(crate) fn polynomial<S: Simd>(s: S, x: S::F, c: &[f32]) -> S::F {
    let mut sum = s.splat(c[0]);
    for c in &c[1..] {
        sum = s.fma(sum, x, s.splat(*c));
    }
    sum
}
