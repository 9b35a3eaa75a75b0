//! How weights start: names of Keras, their meaning, and the draws.
//!
//! Draws depend on the seed and the weight's name alone (contract 1), and are the same on
//! every machine.

use super::sig::{Attr, AttrType, AttrValue, Default, FanMode, InitSpec, Sig};
use crate::base::Dim;
use crate::graph::{Init, InitScale};
use mlc_kernels::rng;

/// An initialiser by name.
pub struct InitDef {
    pub sig: Sig,
    make: fn(&[AttrValue]) -> InitSpec,
}

const NO_ATTRS: &[Attr] = &[];

const fn positive(name: &'static str, default: f64, doc: &'static str) -> Attr {
    Attr {
        name,
        ty: AttrType::Float { min: 0.0, max: f64::MAX, open: false },
        default: Default::Float(default),
        doc,
    }
}

const fn number(name: &'static str, default: f64, doc: &'static str) -> Attr {
    Attr {
        name,
        ty: AttrType::Float { min: f64::MIN, max: f64::MAX, open: false },
        default: Default::Float(default),
        doc,
    }
}

const SPREAD: &[Attr] =
    &[number("mean", 0.0, "The centre."), positive("std", 0.05, "The standard deviation.")];

const GAIN: &[Attr] = &[number("gain", 1.0, "Times this.")];

const VARIANCE: &[Attr] = &[
    positive("scale", 1.0, "The variance, times the fan."),
    Attr {
        name: "mode",
        ty: AttrType::Choice(&["fan_in", "fan_out", "fan_avg"]),
        default: Default::Word("fan_in"),
        doc: "The fan: how many numbers come in, how many go out, or the average of both.",
    },
    Attr {
        name: "distribution",
        ty: AttrType::Choice(&["truncated_normal", "untruncated_normal", "uniform"]),
        default: Default::Word("truncated_normal"),
        doc: "The shape of the distribution.",
    },
];

macro_rules! init {
    ($name:literal, $aliases:expr, $attrs:expr, $example:literal, $doc:literal, $make:expr) => {
        InitDef {
            sig: Sig {
                name: $name,
                aliases: $aliases,
                doc: $doc,
                example: $example,
                inputs: &[],
                attrs: $attrs,
            },
            make: $make,
        }
    };
}

const fn scaled(scale: f64, mode: FanMode, uniform: bool) -> InitSpec {
    InitSpec::Scaled { scale, mode, uniform, truncated: !uniform }
}

fn float(value: &AttrValue) -> f64 {
    match value {
        AttrValue::Float(x) => *x,
        other => unreachable!("init: settings are numbers, not {other:?}"),
    }
}

fn word(value: &AttrValue) -> &str {
    match value {
        AttrValue::Word(word) => word,
        other => unreachable!("init: choices are words, not {other:?}"),
    }
}

fn variance_scaling(settings: &[AttrValue]) -> InitSpec {
    let mode = match word(&settings[1]) {
        "fan_in" => FanMode::In,
        "fan_out" => FanMode::Out,
        "fan_avg" => FanMode::Average,
        other => unreachable!("init: a fan is one of three, not {other}"),
    };
    let distribution = word(&settings[2]);
    InitSpec::Scaled {
        scale: float(&settings[0]),
        mode,
        uniform: distribution == "uniform",
        truncated: distribution == "truncated_normal",
    }
}

/// Every initialiser.
pub static INITS: &[InitDef] = &[
    init!("zeros", &["Zeros", "zeros_"], NO_ATTRS, "zeros", "All 0.", |_| InitSpec::Fixed(Init::Constant(
        0.0
    ))),
    init!("ones", &["Ones", "ones_"], NO_ATTRS, "ones", "All 1.", |_| InitSpec::Fixed(Init::Constant(1.0))),
    init!(
        "Constant",
        &["constant", "constant_"],
        &[Attr {
            name: "value",
            ty: AttrType::Float { min: f64::MIN, max: f64::MAX, open: false },
            default: Default::Required,
            doc: "The number.",
        }],
        "Constant(0.1)",
        "All the same number.",
        |a| InitSpec::Fixed(Init::Constant(float(&a[0])))
    ),
    init!(
        "Normal",
        &["RandomNormal", "random_normal", "normal_"],
        SPREAD,
        "Normal(std=0.02)",
        "Normally distributed (Keras' RandomNormal).",
        |a| { InitSpec::Fixed(Init::Normal { mean: float(&a[0]), std: InitScale::Fixed(float(&a[1])) }) }
    ),
    init!(
        "TruncatedNormal",
        &["truncated_normal", "trunc_normal_"],
        SPREAD,
        "TruncatedNormal(std=0.02)",
        "Normally distributed, drawn again beyond two standard deviations.",
        |a| InitSpec::Fixed(Init::TruncatedNormal {
            mean: float(&a[0]),
            std: InitScale::Fixed(float(&a[1]))
        })
    ),
    init!(
        "Uniform",
        &["RandomUniform", "random_uniform", "uniform_"],
        &[positive("bound", 0.05, "The largest magnitude.")],
        "Uniform(0.1)",
        "Uniform from -bound to bound (Keras' RandomUniform).",
        |a| InitSpec::Fixed(Init::Uniform { bound: InitScale::Fixed(float(&a[0])) })
    ),
    init!(
        "glorot_uniform",
        &["GlorotUniform", "xavier_uniform", "xavier_uniform_"],
        NO_ATTRS,
        "glorot_uniform",
        "Uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).",
        |_| scaled(1.0, FanMode::Average, true)
    ),
    init!(
        "glorot_normal",
        &["GlorotNormal", "xavier_normal", "xavier_normal_"],
        NO_ATTRS,
        "glorot_normal",
        "Truncated normal of variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010).",
        |_| scaled(1.0, FanMode::Average, false)
    ),
    init!(
        "he_uniform",
        &["HeUniform", "kaiming_uniform", "kaiming_uniform_"],
        NO_ATTRS,
        "he_uniform",
        "Uniform within sqrt(6 / fan_in) (He et al., 2015).",
        |_| { scaled(2.0, FanMode::In, true) }
    ),
    init!(
        "he_normal",
        &["HeNormal", "kaiming_normal", "kaiming_normal_"],
        NO_ATTRS,
        "he_normal",
        "Truncated normal of variance 2 / fan_in (He et al., 2015).",
        |_| scaled(2.0, FanMode::In, false)
    ),
    init!(
        "lecun_uniform",
        &["LecunUniform"],
        NO_ATTRS,
        "lecun_uniform",
        "Uniform within sqrt(3 / fan_in) (LeCun et al., 1998).",
        |_| scaled(1.0, FanMode::In, true)
    ),
    init!(
        "lecun_normal",
        &["LecunNormal"],
        NO_ATTRS,
        "lecun_normal",
        "Truncated normal of variance 1 / fan_in (LeCun et al., 1998).",
        |_| scaled(1.0, FanMode::In, false)
    ),
    init!(
        "VarianceScaling",
        &["variance_scaling"],
        VARIANCE,
        "VarianceScaling(2, mode=fan_out)",
        "Of variance scale / fan: what the families by name are cases of (He et al., 2015).",
        |a| variance_scaling(a)
    ),
    init!(
        "Orthogonal",
        &["orthogonal", "orthogonal_", "OrthogonalInitializer"],
        GAIN,
        "Orthogonal(gain=1.4)",
        "Rows or columns, whichever are fewer, at right angles and of length gain (Saxe et al., 2014).",
        |a| InitSpec::Fixed(Init::Orthogonal { gain: float(&a[0]) })
    ),
    init!(
        "Identity",
        &["identity", "eye_", "IdentityInitializer"],
        GAIN,
        "Identity",
        "gain on the diagonal of a matrix, else 0.",
        |a| InitSpec::Fixed(Init::Identity { gain: float(&a[0]) })
    ),
];

/// The initialiser of that name.
pub fn find(name: &str) -> Option<&'static InitDef> {
    INITS.iter().find(|def| def.sig.name == name)
}

impl InitDef {
    /// The initialiser with these settings, one for each of `sig.attrs`.
    pub fn spec(&self, settings: &[AttrValue]) -> InitSpec {
        (self.make)(settings)
    }
}

/// The standard deviation that is left of a normal distribution cut at two of them, as Keras
/// and TensorFlow have it.
const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

/// Turns a spec into an initialiser, now that the fans are known; they may hold symbols.
pub fn resolve(spec: &InitSpec, fan_in: &Dim, fan_out: &Dim) -> Init {
    match spec {
        InitSpec::Fixed(init) => init.clone(),
        InitSpec::Scaled { scale, mode, uniform, truncated } => {
            // The average of two fans is their sum over 2: the 2 goes above the line.
            let (scale, fan) = match mode {
                FanMode::In => (*scale, fan_in.clone()),
                FanMode::Out => (*scale, fan_out.clone()),
                FanMode::Average => (2.0 * scale, fan_in.clone() + fan_out.clone()),
            };
            match (uniform, truncated) {
                // A uniform distribution within a has the variance a^2 / 3.
                (true, _) => Init::Uniform { bound: InitScale::Root { num: 3.0 * scale, den: fan } },
                (false, true) => Init::TruncatedNormal {
                    mean: 0.0,
                    std: InitScale::Root { num: scale / (TRUNCATED_STD * TRUNCATED_STD), den: fan },
                },
                (false, false) => Init::Normal { mean: 0.0, std: InitScale::Root { num: scale, den: fan } },
            }
        }
    }
}

/// The first values of the weight or state `name`, row-major.
///
/// # Panics
/// If a fan still holds a symbol: graphs are bound before weights are drawn.
pub fn draw(init: &Init, name: &str, seed: u64, shape: &[usize]) -> Vec<f32> {
    let mut all = vec![0.0; shape.iter().product()];
    draw_part(init, name, seed, shape, 0, &mut all);
    all
}

/// Whether parts of the values are drawn for no more than their share of the work.
pub fn has_parts(init: &Init) -> bool {
    !matches!(init, Init::Orthogonal { .. })
}

/// Those of the first values that stand from `first` on, as many as `out` takes.
///
/// # Panics
/// As [`draw`].
pub fn draw_part(init: &Init, name: &str, seed: u64, shape: &[usize], first: usize, out: &mut [f32]) {
    let key = rng::key(seed, name);
    match init {
        Init::Constant(x) => out.fill(*x as f32),
        Init::Parts(numbers) => {
            let width = shape.last().map_or(1, |n| n / numbers.len()).max(1);
            each(first, out, |i| numbers[i as usize / width % numbers.len()]);
        }
        Init::Uniform { bound } => {
            let bound = value(bound);
            each(first, out, |i| (2.0 * f64::from(rng::uniform(key, 0, i)) - 1.0) * bound);
        }
        Init::Normal { mean, std } => {
            let std = value(std);
            each(first, out, |i| mean + std * rng::normal(key, 0, i));
        }
        Init::TruncatedNormal { mean, std } => {
            let std = value(std);
            each(first, out, |i| mean + std * truncated(key, i));
        }
        Init::Orthogonal { gain } => {
            out.copy_from_slice(&orthogonal(key, *gain, shape)[first..first + out.len()]);
        }
        Init::Identity { gain } => {
            let columns = matrix(shape).1 as u64;
            each(first, out, |i| if i / columns == i % columns { *gain } else { 0.0 });
        }
    }
}

fn each(first: usize, out: &mut [f32], f: impl Fn(u64) -> f64) {
    out.iter_mut().zip(first as u64..).for_each(|(x, i)| *x = f(i) as f32);
}

/// Rows and columns: all axes but the last count as one.
fn matrix(shape: &[usize]) -> (usize, usize) {
    let (last, before) = shape.split_last().expect("init: a matrix has axes");
    (before.iter().product(), *last)
}

/// Normal vectors made orthogonal by Gram and Schmidt, the way that leaves each of them on the
/// side where it was: distributed evenly over all such matrices, as by a QR decomposition whose
/// R has a positive diagonal.
fn orthogonal(key: [u32; 2], gain: f64, shape: &[usize]) -> Vec<f32> {
    let (rows, columns) = matrix(shape);
    let (length, count) = (rows.max(columns), rows.min(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    for j in 0..count {
        let mut v: Vec<f64> = (0..length).map(|i| rng::normal(key, 0, (i * count + j) as u64)).collect();
        // Rounding leaves a trace of the others; a second round removes it.
        for q in basis.iter().chain(&basis) {
            let along = dot(q, &v);
            v.iter_mut().zip(q).for_each(|(x, y)| *x -= along * y);
        }
        let norm = dot(&v, &v).sqrt();
        v.iter_mut().for_each(|x| *x /= norm);
        basis.push(v);
    }
    let at = |i: usize, j: usize| if rows >= columns { basis[j][i] } else { basis[i][j] };
    (0..rows * columns).map(|n| (gain * at(n / columns, n % columns)) as f32).collect()
}

/// Eight sums side by side, then one: always in this order.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        lanes.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (x, y))| *sum += x * y);
    }
    lanes.iter().sum()
}

/// A standard normal within two standard deviations: redraws take the counter's steps in turn.
fn truncated(key: [u32; 2], element: u64) -> f64 {
    (0..)
        .map(|redraw| rng::normal(key, redraw, element))
        .find(|x| x.abs() <= 2.0)
        .expect("init: one draw in twenty is beyond two deviations")
}

fn value(scale: &InitScale) -> f64 {
    match scale {
        InitScale::Fixed(x) => *x,
        InitScale::Root { num, den } => {
            let den = den.as_const().expect("init: graphs are bound before weights are drawn");
            (num / den as f64).sqrt()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> InitSpec {
        find(name).unwrap().spec(&[])
    }

    fn moments(x: &[f32]) -> (f64, f64, f64) {
        let n = x.len() as f64;
        let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let var = x.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        (mean, var.sqrt(), x.iter().fold(0.0, |m, &v| m.max(f64::from(v).abs())))
    }

    #[test]
    fn glorot_uniform_fills_its_bound() {
        let init = resolve(&spec("glorot_uniform"), &Dim::from(784), &Dim::from(128));
        let bound = (6.0f64 / (784.0 + 128.0)).sqrt();
        let (mean, std, largest) = moments(&draw(&init, "fc1.weight", 1, &[784, 128]));
        assert!(mean.abs() < bound / 100.0);
        assert!((std / (bound / 3f64.sqrt()) - 1.0).abs() < 0.01);
        assert!(largest <= bound && largest > 0.999 * bound);
    }

    #[test]
    fn normal_families_have_the_variance_they_claim() {
        for (name, variance) in
            [("he_normal", 2.0 / 50.0), ("glorot_normal", 2.0 / 80.0), ("lecun_normal", 1.0 / 50.0)]
        {
            let init = resolve(&spec(name), &Dim::from(50), &Dim::from(30));
            let (mean, std, _) = moments(&draw(&init, "w", 7, &[200, 500]));
            assert!(mean.abs() < 0.005, "{name}: mean {mean}");
            assert!((std / f64::sqrt(variance) - 1.0).abs() < 0.01, "{name}: std {std}");
        }
    }

    #[test]
    fn parts_are_those_of_the_whole() {
        let spread = || InitScale::Fixed(0.5);
        let all = [
            Init::Constant(3.0),
            Init::Parts(vec![1.0, 2.0, 3.0]),
            Init::Uniform { bound: spread() },
            Init::Normal { mean: 1.0, std: spread() },
            Init::TruncatedNormal { mean: 0.0, std: spread() },
            Init::Orthogonal { gain: 1.0 },
            Init::Identity { gain: 2.0 },
        ];
        for init in all {
            let whole = draw(&init, "a", 7, &[10, 12]);
            let mut parts = vec![0.0; 120];
            for (i, part) in parts.chunks_mut(17).enumerate() {
                draw_part(&init, "a", 7, &[10, 12], 17 * i, part);
            }
            assert_eq!(parts, whole, "{init:?}");
        }
    }

    #[test]
    fn draws_depend_on_seed_and_name_alone() {
        let init = Init::Normal { mean: 0.0, std: InitScale::Fixed(1.0) };
        let draw = |name: &str, seed| draw(&init, name, seed, &[16]);
        assert_eq!(draw("a", 1), draw("a", 1));
        assert_ne!(draw("a", 1), draw("b", 1));
        assert_ne!(draw("a", 1), draw("a", 2));
    }

    #[test]
    fn fans_may_be_symbols() {
        let init = resolve(&spec("he_uniform"), &Dim::sym("people.features"), &Dim::from(3));
        assert_eq!(
            init,
            Init::Uniform { bound: InitScale::Root { num: 6.0, den: Dim::sym("people.features") } }
        );
    }
}
