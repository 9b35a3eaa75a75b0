//! Functions of whole strips of numbers.

macro_rules! strip1 {
    ($($name:ident = $f:expr;)*) => { $(
        /// # Safety
        /// `x` is readable and `out` writable for `n` numbers; they are equal or do not overlap.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(n: usize, x: *const f32, out: *mut f32) {
            let f: fn(f64) -> f64 = $f;
            for i in 0..n {
                // SAFETY: the caller's promise.
                unsafe { *out.add(i) = f(f64::from(*x.add(i))) as f32 };
            }
        }
    )* };
}

strip1! {
    mlc_exp = f64::exp;
    mlc_expm1 = f64::exp_m1;
    mlc_log = f64::ln;
    mlc_log1p = f64::ln_1p;
    mlc_tanh = f64::tanh;
    mlc_sigmoid = |x| 1.0 / (1.0 + (-x).exp());
    mlc_erf = erf;
    mlc_sin = f64::sin;
    mlc_cos = f64::cos;
    mlc_sqrt = f64::sqrt;
    mlc_rsqrt = |x| 1.0 / x.sqrt();
}

/// Maclaurin series; beyond 4 it is 1 in `f32`.
fn erf(x: f64) -> f64 {
    if x.abs() > 4.0 {
        return x.signum();
    }
    let mut term = x;
    let mut sum = x;
    for n in 1..120 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

macro_rules! strip2 {
    ($($name:ident = $f:expr;)*) => { $(
        /// # Safety
        /// `x` and `y` are readable and `out` writable for `n` numbers; `out` is either or apart.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(n: usize, x: *const f32, y: *const f32, out: *mut f32) {
            let f: fn(f32, f32) -> f32 = $f;
            for i in 0..n {
                // SAFETY: the caller's promise.
                unsafe { *out.add(i) = f(*x.add(i), *y.add(i)) };
            }
        }
    )* };
}

strip2! {
    mlc_div = |x, y| x / y;
    mlc_pow = |x, y| f64::from(x).powf(f64::from(y)) as f32;
}
