//! Errors against `f64`, the same bits everywhere, and sane ends of the range.

use super::*;
use crate::denormals::FlushDenormals;

unsafe extern "C" {
    safe fn erf(x: f64) -> f64;
}

type Run1 = unsafe fn(Isa, usize, *const f32, *mut f32);

/// A function under test: how to run it, what it should be, and the error it promises in ULP.
struct Case1 {
    name: &'static str,
    run: Run1,
    exact: fn(f64) -> f64,
    ulp: f64,
}

const CASES: &[Case1] = &[
    Case1 { name: "exp", run: map1::<exp::Exp>, exact: f64::exp, ulp: 2.0 },
    Case1 { name: "expm1", run: map1::<exp::Expm1>, exact: f64::exp_m1, ulp: 2.0 },
    Case1 { name: "log", run: map1::<log::Log>, exact: f64::ln, ulp: 2.0 },
    Case1 { name: "log1p", run: map1::<log::Log1p>, exact: f64::ln_1p, ulp: 2.0 },
    Case1 { name: "tanh", run: map1::<exp::Tanh>, exact: f64::tanh, ulp: 2.0 },
    Case1 { name: "sigmoid", run: map1::<exp::Sigmoid>, exact: |x| 1.0 / (1.0 + (-x).exp()), ulp: 2.0 },
    Case1 { name: "erf", run: map1::<erf::Erf>, exact: |x| erf(x), ulp: 2.0 },
    Case1 { name: "sin", run: map1::<trig::Sin>, exact: f64::sin, ulp: 2.0 },
    Case1 { name: "cos", run: map1::<trig::Cos>, exact: f64::cos, ulp: 2.0 },
    Case1 { name: "sqrt", run: map1::<Sqrt>, exact: f64::sqrt, ulp: 0.5 },
    Case1 { name: "rsqrt", run: map1::<Rsqrt>, exact: |x| 1.0 / x.sqrt(), ulp: 2.0 },
];

/// The distance of `got` from the exact result in units of the last place of the result as `f32`;
/// 0 for what counts as right at the ends of the range.
fn error(got: f32, exact: f64) -> f64 {
    let near = exact as f32;
    if exact.is_nan() || got.is_nan() {
        return if exact.is_nan() == got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if near.is_infinite() || got.is_infinite() {
        // The largest number and infinity are neighbours.
        let neighbours = got.abs() >= f32::MAX && exact.abs() >= f64::from(f32::MAX) * 0.999_999_9;
        return if got == near || (neighbours && got.signum() == near.signum()) {
            0.0
        } else {
            f64::INFINITY
        };
    }
    if near.abs() <= f32::MIN_POSITIVE && (got == 0.0 || got.abs() == f32::MIN_POSITIVE) {
        return 0.0;
    }
    let exponent = (near.abs().max(f32::MIN_POSITIVE).to_bits() >> 23) as i32 - 127 - 23;
    (f64::from(got) - exact).abs() / 2f64.powi(exponent)
}

/// The worst error over `count` numbers, `stride` apart in the order of their bits.
fn sweep(case: &Case1, isa: Isa, stride: u32, count: u32) -> (f64, f32) {
    const BLOCK: u32 = 4096;
    let mut worst = (0.0, 0.0);
    let (mut x, mut y) = (vec![0f32; BLOCK as usize], vec![0f32; BLOCK as usize]);
    for first in (0..count).step_by(BLOCK as usize) {
        let n = BLOCK.min(count - first) as usize;
        for (i, x) in x[..n].iter_mut().enumerate() {
            *x = f32::from_bits((first + i as u32).wrapping_mul(stride));
        }
        // SAFETY: both have `n` numbers.
        unsafe { (case.run)(isa, n, x.as_ptr(), y.as_mut_ptr()) };
        for (x, y) in x[..n].iter().zip(&y) {
            let seen = if x.is_subnormal() { 0f32.copysign(*x) } else { *x };
            // A denormal may be taken as it is or as 0.
            let e = error(*y, (case.exact)(f64::from(*x))).min(error(*y, (case.exact)(f64::from(seen))));
            if e > worst.0 {
                worst = (e, *x);
            }
        }
    }
    worst
}

fn check_sweep(stride: u32, count: u32) {
    for case in CASES {
        let (worst, at) = sweep(case, Isa::detect(), stride, count);
        println!("{:8} {worst:.3} ULP at {at:e}", case.name);
        assert!(worst <= case.ulp, "{}({at:e}) is off by {worst:.3} ULP", case.name);
    }
}

#[test]
fn errors_stay_within_the_promise() {
    // An odd stride visits every pattern of low bits.
    check_sweep(9973, u32::MAX / 9973);
    // All signs and exponents close to the points where formulas change.
    for case in CASES {
        for around in [0.346f32, 0.5, 0.927_734_4, 1.0, 9.1, 17.4, 71476.0, 87.33654, 88.72284, 1e-30] {
            for sign in [around, -around] {
                let x: Vec<f32> = (0..4000u32).map(|i| f32::from_bits(sign.to_bits() - 2000 + i)).collect();
                let mut y = vec![0f32; x.len()];
                // SAFETY: both have 4000 numbers.
                unsafe { (case.run)(Isa::detect(), x.len(), x.as_ptr(), y.as_mut_ptr()) };
                for (x, y) in x.iter().zip(&y) {
                    let e = error(*y, (case.exact)(f64::from(*x)));
                    assert!(e <= case.ulp, "{}({x:e}) = {y:e} is off by {e:.3} ULP", case.name);
                }
            }
        }
    }
}

#[test]
#[ignore = "all 2^32 numbers through eleven functions: a quarter of an hour"]
fn errors_stay_within_the_promise_for_every_number() {
    check_sweep(1, u32::MAX);
}

/// Numbers of all kinds: a sweep of all bits, and the ends.
fn specimens() -> Vec<f32> {
    let mut x: Vec<f32> = (0..20_000u32).map(|i| f32::from_bits(i.wrapping_mul(214_741))).collect();
    x.extend((-3000..3000).map(|i| i as f32 * 0.037));
    let ends = [0.0, 1.0, 0.5, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-41, f32::NAN, 1e10, 3e38];
    x.extend(ends.iter().flat_map(|x| [*x, -*x]));
    x
}

/// NaNs are alike whatever their bits.
fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[test]
fn bits_agree_on_every_instruction_set_and_length() {
    let x = specimens();
    for flush in [false, true] {
        let _guard = flush.then(FlushDenormals::new);
        for case in CASES {
            let mut want = vec![0f32; x.len()];
            // SAFETY: as many numbers as `x`.
            unsafe { (case.run)(Isa::Portable, x.len(), x.as_ptr(), want.as_mut_ptr()) };
            for isa in Isa::all() {
                for n in [0, 1, 3, 15, 16, 17, 47, x.len()] {
                    let mut y = x[x.len() - n..].to_vec();
                    y.push(-7.0);
                    // SAFETY: `y` has more than `n` numbers; in place is allowed.
                    unsafe { (case.run)(isa, n, y.as_ptr(), y.as_mut_ptr()) };
                    assert_eq!(y[n], -7.0, "{} writes beyond its end", case.name);
                    for (i, (y, want)) in y.iter().zip(&want[x.len() - n..]).enumerate() {
                        let x = x[x.len() - n + i];
                        assert!(same(*y, *want), "{}({x:e}) = {y:e} on {isa}, not {want:e}", case.name);
                    }
                }
            }
        }
    }
}

/// FNV-1a of all results, NaNs being alike.
fn fingerprint(results: &[f32]) -> u64 {
    let bits = results.iter().map(|y| if y.is_nan() { f32::NAN.to_bits() } else { y.to_bits() });
    bits.flat_map(u32::to_le_bytes).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What no processor can compare with another: the bits of an x86-64, which all have.
#[test]
fn bits_are_those_of_other_machines() {
    let x = specimens();
    let mut found = Vec::new();
    for case in CASES {
        let mut y = vec![0f32; x.len()];
        // SAFETY: as many numbers as `x`.
        unsafe { (case.run)(Isa::detect(), x.len(), x.as_ptr(), y.as_mut_ptr()) };
        found.push((case.name, fingerprint(&y)));
    }
    // Not the pairs made by functions of the C library, which has its own for each machine.
    let y: Vec<f32> = x.iter().rev().copied().collect();
    found.push(("pow", fingerprint(&pow_all(Isa::detect(), &x, &y))));
    assert_eq!(found, FINGERPRINTS);
}

const FINGERPRINTS: [(&str, u64); 12] = [
    ("exp", 0x0538_2704_8eb1_975c),
    ("expm1", 0x6081_5d36_ae6f_4382),
    ("log", 0xf93c_7096_4411_5f90),
    ("log1p", 0x1d21_7f59_0d7f_93bd),
    ("tanh", 0xc27d_a498_e501_e6ff),
    ("sigmoid", 0x17d7_d97c_b287_b933),
    ("erf", 0x447b_c877_8b86_08e3),
    ("sin", 0x47ac_254b_4da4_020f),
    ("cos", 0x6643_b1a7_bf02_c9b1),
    ("sqrt", 0x0e6b_2c94_d128_6e2e),
    ("rsqrt", 0x9db1_d964_402f_4ece),
    ("pow", 0x4a84_b38b_3fa2_3dc1),
];

fn one(run: Run1, x: f32) -> f32 {
    let mut y = 0.0;
    // SAFETY: one number each.
    unsafe { run(Isa::detect(), 1, &x, &mut y) };
    y
}

#[test]
fn limits_and_zeros_are_exact() {
    let inf = f32::INFINITY;
    let table: &[(Run1, f32, f32)] = &[
        (map1::<exp::Exp>, 0.0, 1.0),
        (map1::<exp::Exp>, -inf, 0.0),
        (map1::<exp::Exp>, inf, inf),
        (map1::<exp::Expm1>, -0.0, -0.0),
        (map1::<exp::Expm1>, -inf, -1.0),
        (map1::<exp::Expm1>, inf, inf),
        (map1::<log::Log>, 1.0, 0.0),
        (map1::<log::Log>, 0.0, -inf),
        (map1::<log::Log>, inf, inf),
        (map1::<log::Log1p>, -0.0, -0.0),
        (map1::<log::Log1p>, -1.0, -inf),
        (map1::<log::Log1p>, inf, inf),
        (map1::<exp::Tanh>, -0.0, -0.0),
        (map1::<exp::Tanh>, inf, 1.0),
        (map1::<exp::Tanh>, -20.0, -1.0),
        (map1::<exp::Sigmoid>, 0.0, 0.5),
        (map1::<exp::Sigmoid>, inf, 1.0),
        (map1::<exp::Sigmoid>, -inf, 0.0),
        (map1::<erf::Erf>, -0.0, -0.0),
        (map1::<erf::Erf>, inf, 1.0),
        (map1::<erf::Erf>, -5.0, -1.0),
        (map1::<trig::Sin>, 0.0, 0.0),
        (map1::<trig::Cos>, 0.0, 1.0),
    ];
    for (i, (run, x, want)) in table.iter().enumerate() {
        assert_eq!(one(*run, *x).to_bits(), want.to_bits(), "row {i}: f({x}) = {}", one(*run, *x));
    }
    for run in [map1::<log::Log> as Run1, map1::<Sqrt>, map1::<Rsqrt>] {
        assert!(one(run, -1.0).is_nan());
    }
    assert!(one(map1::<log::Log1p>, -1.5).is_nan());
    assert!(one(map1::<trig::Sin>, inf).is_nan() && one(map1::<trig::Cos>, -inf).is_nan());
}

fn pow_all(isa: Isa, x: &[f32], y: &[f32]) -> Vec<f32> {
    let mut z = vec![0f32; x.len()];
    // SAFETY: all three have the same length.
    unsafe { map2::<pow::Pow>(isa, x.len(), x.as_ptr(), y.as_ptr(), z.as_mut_ptr()) };
    z
}

/// Pairs over all bits, pairs whose powers are numbers, and all pairs of ends.
fn pow_pairs() -> (Vec<f32>, Vec<f32>) {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for i in 0..300_000u64 {
        let u = |lane: u64| crate::rng::uniform([5, 6], 1, i * 4 + lane);
        let base = (u(0) * 60.0 - 30.0).exp2();
        x.push(base);
        y.push((u(1) * 2.0 - 1.0) * 126.0 / base.log2().abs().max(1e-3));
        x.push(1.0 + (u(2) - 0.5) * 1e-3);
        y.push((u(3) - 0.5) * 2e5);
    }
    let values = [
        0.0,
        0.3,
        0.5,
        1.0,
        1.5,
        2.0,
        3.0,
        1e-3,
        7.5,
        1e10,
        8_388_607.0,
        8_388_609.0,
        16_777_215.0,
        16_777_216.0,
        1e30,
        f32::MAX,
        f32::MIN_POSITIVE,
        f32::INFINITY,
        f32::NAN,
    ];
    for a in values.iter().flat_map(|v| [*v, -*v]) {
        for b in values.iter().flat_map(|v| [*v, -*v]) {
            x.push(a);
            y.push(b);
        }
    }
    (x, y)
}

#[test]
fn powers_stay_within_the_promise() {
    let (x, y) = pow_pairs();
    let z = pow_all(Isa::detect(), &x, &y);
    let mut worst = (0.0, 0.0, 0.0);
    for ((x, y), z) in x.iter().zip(&y).zip(&z) {
        let e = error(*z, f64::from(*x).powf(f64::from(*y)));
        if e > worst.0 {
            worst = (e, *x, *y);
        }
    }
    println!("pow {:.3} ULP at {:e}^{:e}", worst.0, worst.1, worst.2);
    assert!(worst.0 <= 2.0, "{:e}^{:e} is off by {:.3} ULP", worst.1, worst.2, worst.0);
    for isa in Isa::all() {
        for (i, (got, want)) in pow_all(isa, &x, &y).iter().zip(&z).enumerate() {
            assert!(same(*got, *want), "{:e}^{:e} = {got:e} on {isa}, not {want:e}", x[i], y[i]);
        }
    }
}

#[test]
fn quotients_are_exact() {
    let x = specimens();
    let y: Vec<f32> = x.iter().rev().copied().collect();
    for isa in Isa::all() {
        let mut z = x.clone();
        // SAFETY: all have the same length; in place is allowed.
        unsafe { map2::<Div>(isa, x.len(), z.as_ptr(), y.as_ptr(), z.as_mut_ptr()) };
        for i in 0..x.len() {
            assert!(same(z[i], x[i] / y[i]), "{:e} / {:e} on {isa}", x[i], y[i]);
        }
    }
}

#[test]
fn folds_follow_the_documented_tree() {
    for n in [0, 1, 5, 15, 16, 17, 32, 100, 1000] {
        let x: Vec<f32> = (0..n).map(|i| crate::rng::uniform([1, 1], 0, i) - 0.3).collect();
        let mut lanes = [0f32; 16];
        x.iter().enumerate().for_each(|(i, x)| lanes[i % 16] += x);
        for half in [8, 4, 2, 1] {
            (0..half).for_each(|l| lanes[l] += lanes[l + half]);
        }
        let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for isa in Isa::all() {
            // SAFETY: `x` has `n` numbers.
            let (sum, max) = unsafe {
                (
                    rows::fold::<rows::Sum>(isa, x.len(), x.as_ptr()),
                    rows::fold::<rows::Max>(isa, x.len(), x.as_ptr()),
                )
            };
            assert_eq!(sum.to_bits(), lanes[0].to_bits(), "{n} numbers on {isa}");
            assert_eq!(max, largest, "{n} numbers on {isa}");
        }
    }
}

#[test]
fn generated_code_calls_the_current_instruction_set() {
    let (x, y) = ([0.25f32, 4.0, 9.0], [2.0f32, 0.5, -1.0]);
    let mut z = [0f32; 3];
    // SAFETY: three numbers each.
    unsafe {
        mlc_sqrt(3, x.as_ptr(), z.as_mut_ptr());
        assert_eq!(z, [0.5, 2.0, 3.0]);
        mlc_div(3, x.as_ptr(), y.as_ptr(), z.as_mut_ptr());
        assert_eq!(z, [0.125, 8.0, -9.0]);
        mlc_pow(3, x.as_ptr(), y.as_ptr(), z.as_mut_ptr());
        assert_eq!(z, [0.0625, 2.0, 0.111_111_11]);
        assert_eq!((mlc_sum(3, x.as_ptr()), mlc_max(3, x.as_ptr())), (13.25, 9.0));
    }
}
