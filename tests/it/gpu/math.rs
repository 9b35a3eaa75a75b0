//! The functions of `kernels/wgsl/math.wgsl` on a device, against `f64` and against the strips of the processor.

use super::{device, harness};
use mlc::runtime::gpu::Device;
use mlc_kernels::{rng, strip};

type Strip1 = unsafe extern "C" fn(usize, *const f32, *mut f32);
type Strip2 = unsafe extern "C" fn(usize, *const f32, *const f32, *mut f32);

/// A function under test: its strip, what it should be, and the error it promises in ULP.
struct Case1 {
    name: &'static str,
    strip: Strip1,
    exact: fn(f64) -> f64,
    ulp: f64,
}

/// As promised at the head of `math.wgsl`.
const CASES: &[Case1] = &[
    Case1 { name: "exp", strip: strip::mlc_exp, exact: f64::exp, ulp: 2.0 },
    Case1 { name: "expm1", strip: strip::mlc_expm1, exact: f64::exp_m1, ulp: 4.0 },
    Case1 { name: "log", strip: strip::mlc_log, exact: f64::ln, ulp: 2.0 },
    Case1 { name: "log1p", strip: strip::mlc_log1p, exact: f64::ln_1p, ulp: 4.0 },
    Case1 { name: "tanh", strip: strip::mlc_tanh, exact: f64::tanh, ulp: 4.0 },
    Case1 { name: "sigmoid", strip: strip::mlc_sigmoid, exact: |x| 1.0 / (1.0 + (-x).exp()), ulp: 4.0 },
    Case1 { name: "erf", strip: strip::mlc_erf, exact: libm::erf, ulp: 2.0 },
    Case1 { name: "sin", strip: strip::mlc_sin, exact: f64::sin, ulp: 2.5 },
    Case1 { name: "cos", strip: strip::mlc_cos, exact: f64::cos, ulp: 2.5 },
    Case1 { name: "sqrt", strip: strip::mlc_sqrt, exact: f64::sqrt, ulp: 1.0 },
    Case1 { name: "rsqrt", strip: strip::mlc_rsqrt, exact: |x| 1.0 / x.sqrt(), ulp: 2.0 },
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
        let neighbours = got.abs() >= f32::MAX * 0.999_99 && exact.abs() >= f64::from(f32::MAX) * 0.999_99;
        return if got == near || (neighbours && got.signum() == near.signum()) {
            0.0
        } else {
            f64::INFINITY
        };
    }
    // As are 0 and the smallest normal number.
    if near.abs() <= f32::MIN_POSITIVE * 1.000_01 && got.abs() <= f32::MIN_POSITIVE * 1.000_01 {
        return 0.0;
    }
    let exponent = (near.abs().max(f32::MIN_POSITIVE).to_bits() >> 23) as i32 - 127 - 23;
    (f64::from(got) - exact).abs() / 2f64.powi(exponent)
}

/// The least error over the ways in which a denormal argument may count: as it is, or as 0 of its sign.
fn error_at(got: f32, x: f32, exact: fn(f64) -> f64) -> f64 {
    let seen = if x.is_subnormal() { 0f32.copysign(x) } else { x };
    error(got, exact(f64::from(x))).min(error(got, exact(f64::from(seen))))
}

/// Numbers of all exponents and signs, those around the points where formulas change, and the ends.
fn specimens() -> Vec<f32> {
    // An odd stride visits every pattern of low bits.
    let mut x: Vec<f32> = (0..60_000u32).map(|i| f32::from_bits(i.wrapping_mul(71_583))).collect();
    x.extend((-3000..3000).map(|i| i as f32 * 0.037));
    let turns = [
        0.346f32,
        0.5,
        std::f32::consts::FRAC_PI_4,
        0.927_734_4,
        1.0,
        9.1,
        17.4,
        71476.0,
        87.33654,
        88.72284,
        1e-30,
    ];
    for around in turns.iter().flat_map(|x| [*x, -*x]) {
        x.extend((0..1000u32).map(|i| f32::from_bits(around.to_bits() - 500 + i)));
    }
    let ends = [0.0, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-41, f32::NAN, 1e10, 3e38];
    x.extend(ends.iter().flat_map(|x| [*x, -*x]));
    x
}

/// `function` of every number, on the device.
fn map(device: &Device, function: &str, inputs: &[&[f32]]) -> Vec<f32> {
    let n = inputs[0].len();
    let operands: Vec<String> = (0..inputs.len()).map(|i| format!("piece_get{i}(i)")).collect();
    let text = format!(
        "fn piece_main(group: u32, local: u32) {{\n    let i = i32(group * 256u + local);\n    \
         if (i < {n}) {{\n        piece_set{}(i, {function}({}));\n    }}\n}}\n",
        inputs.len(),
        operands.join(", ")
    );
    harness::run(device, &text, (n as u32).div_ceil(256), inputs, n)
}

fn strip1(strip: Strip1, x: &[f32]) -> Vec<f32> {
    let mut y = vec![0f32; x.len()];
    // SAFETY: both have as many numbers.
    unsafe { strip(x.len(), x.as_ptr(), y.as_mut_ptr()) };
    y
}

fn strip2(strip: Strip2, x: &[f32], y: &[f32]) -> Vec<f32> {
    let mut z = vec![0f32; x.len()];
    // SAFETY: all three have as many numbers.
    unsafe { strip(x.len(), x.as_ptr(), y.as_ptr(), z.as_mut_ptr()) };
    z
}

#[test]
fn functions_keep_their_promise_on_the_device() {
    let Some(device) = device("functions_keep_their_promise_on_the_device") else { return };
    let x = specimens();
    let mut broken = Vec::new();
    for case in CASES {
        let got = map(&device, &format!("mlc_{}", case.name), &[&x]);
        let strip = strip1(case.strip, &x);
        let mut worst = (0.0, 0.0, 0.0);
        let mut apart = 0;
        for ((x, y), processor) in x.iter().zip(&got).zip(&strip) {
            let e = error_at(*y, *x, case.exact);
            if e > worst.0 {
                worst = (e, *x, *y);
            }
            apart += usize::from(y.to_bits() != processor.to_bits() && !(y.is_nan() && processor.is_nan()));
        }
        let (worst, at, y) = worst;
        println!("{:8} {worst:.3} ULP at {at:e}; {apart} of {} differ from the strip", case.name, x.len());
        if worst > case.ulp {
            broken.push(format!("{}({at:e}) = {y:e} is off by {worst:.3} ULP", case.name));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Signs of zeros, infinities and what is no number: as the strips have them.
#[test]
fn ends_are_those_of_the_processor() {
    let Some(device) = device("ends_are_those_of_the_processor") else { return };
    let ends = [0.0f32, 1.0, 20.0, 100.0, f32::INFINITY, f32::NAN];
    let x: Vec<f32> = ends.iter().flat_map(|x| [*x, -*x]).collect();
    for case in CASES {
        let got = map(&device, &format!("mlc_{}", case.name), &[&x]);
        for ((x, got), want) in x.iter().zip(&got).zip(strip1(case.strip, &x)) {
            assert_eq!(got.is_nan(), want.is_nan(), "{}({x}) = {got}, not {want}", case.name);
            let special = want == 0.0 || want.is_infinite() || want.abs() == 1.0;
            if special {
                assert_eq!(got.to_bits(), want.to_bits(), "{}({x}) = {got}, not {want}", case.name);
            }
        }
    }
}

/// Pairs whose powers are numbers, pairs close to 1, and all pairs of ends.
fn pairs() -> (Vec<f32>, Vec<f32>) {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for i in 0..30_000u64 {
        let u = |lane: u64| rng::uniform([5, 6], 1, i * 4 + lane);
        let base = (u(0) * 60.0 - 30.0).exp2();
        x.push(base);
        y.push((u(1) * 2.0 - 1.0) * 126.0 / base.log2().abs().max(1e-3));
        x.push(1.0 + (u(2) - 0.5) * 1e-3);
        y.push((u(3) - 0.5) * 2e5);
        x.push(0.7 + u(0));
        y.push((u(1) - 0.5) * 300.0);
    }
    let ends = [
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
    for a in ends.iter().flat_map(|v| [*v, -*v]) {
        for b in ends.iter().flat_map(|v| [*v, -*v]) {
            x.push(a);
            y.push(b);
        }
    }
    (x, y)
}

#[test]
fn powers_and_quotients_keep_their_promise_on_the_device() {
    let Some(device) = device("powers_and_quotients_keep_their_promise_on_the_device") else { return };
    let (x, y) = pairs();
    let mut backwards = x.clone();
    backwards.reverse();
    let check = |name: &str, x: &[f32], y: &[f32], exact: fn(f64, f64) -> f64, strip: Strip2, ulp: f64| {
        let got = map(&device, name, &[x, y]);
        let mut worst = (0.0, 0.0, 0.0, 0.0);
        for (((x, y), z), processor) in x.iter().zip(y).zip(&got).zip(strip2(strip, x, y)) {
            let e = error(*z, exact(f64::from(*x), f64::from(*y)));
            // Zeros have signs, which the distance does not see.
            let e = if processor == 0.0 && *z == 0.0 && processor.to_bits() != z.to_bits() {
                f64::INFINITY
            } else {
                e
            };
            if e > worst.0 {
                worst = (e, *x, *y, *z);
            }
        }
        let (worst, x, y, z) = worst;
        println!("{name} {worst:.3} ULP at ({x:e}, {y:e})");
        assert!(worst <= ulp, "{name}({x:e}, {y:e}) = {z:e} is off by {worst:.3} ULP");
    };
    check("mlc_pow", &x, &y, f64::powf, strip::mlc_pow, 2.5);
    check("mlc_div", &x, &backwards, |x, y| x / y, strip::mlc_div, 1.0);
}

#[test]
fn draws_have_the_bits_of_the_processor() {
    let Some(device) = device("draws_have_the_bits_of_the_processor") else { return };
    let key = rng::key(7, "drop");
    let step = 3u64 << 33 | 5;
    let first = u32::MAX - 300;
    let text = format!(
        "fn piece_main(group: u32, local: u32) {{\n    let i = group * 256u + local;\n    if (i < 600u) {{\n        \
         piece_set0(i32(i), mlc_uniform(vec2<u32>({}u, {}u), vec2<u32>({}u, {}u), select(i, {first}u + i - 300u, i >= 300u)));\n    }}\n}}\n",
        key[0],
        key[1],
        step as u32,
        step >> 32,
    );
    let got = harness::run(&device, &text, 3, &[], 600);
    for (i, x) in got.iter().enumerate() {
        let element = if i < 300 { i as u64 } else { u64::from(first) + i as u64 - 300 };
        assert_eq!(x.to_bits(), rng::uniform(key, step, element).to_bits(), "element {element}");
    }
}
