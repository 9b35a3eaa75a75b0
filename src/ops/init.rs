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

/// Every initialiser.
pub static INITS: &[InitDef] = &[
    init!("zeros", &["Zeros", "zeros_"], NO_ATTRS, "zeros", "All 0.", |_| InitSpec::Fixed(Init::Constant(
        0.0
    ))),
    init!("ones", &["Ones", "ones_"], NO_ATTRS, "ones", "All 1.", |_| InitSpec::Fixed(Init::Constant(1.0))),
    init!(
        "Constant",
        &["constant_"],
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
        &["RandomNormal", "normal_"],
        SPREAD,
        "Normal(std=0.02)",
        "Normally distributed (Keras' RandomNormal).",
        |a| { InitSpec::Fixed(Init::Normal { mean: float(&a[0]), std: InitScale::Fixed(float(&a[1])) }) }
    ),
    init!(
        "TruncatedNormal",
        &["trunc_normal_"],
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
        &["RandomUniform", "uniform_"],
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
    let count: usize = shape.iter().product();
    let key = rng::key(seed, name);
    let each = |f: &dyn Fn(u64) -> f64| (0..count as u64).map(|i| f(i) as f32).collect();
    match init {
        Init::Constant(x) => vec![*x as f32; count],
        Init::Uniform { bound } => {
            let bound = value(bound);
            each(&|i| (2.0 * f64::from(rng::uniform(key, 0, i)) - 1.0) * bound)
        }
        Init::Normal { mean, std } => {
            let std = value(std);
            each(&|i| mean + std * rng::normal(key, 0, i))
        }
        Init::TruncatedNormal { mean, std } => {
            let std = value(std);
            each(&|i| mean + std * truncated(key, i))
        }
    }
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
