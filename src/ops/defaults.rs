//! The two tables of defaults, side by side: Keras 3 and, behind `defaults torch`, PyTorch.
//!
//! Only what differs between them, or could; the rest stands in the signatures. Sources:
//! `keras/src/{layers,optimizers}` of Keras 3 and `torch/nn`, `torch/optim` of PyTorch 2.

use super::sig::{AttrValue, FanMode, Framework, InitSpec};
use crate::graph::{Init, InitScale};

/// A default that depends on the framework.
#[derive(Clone, Debug, PartialEq)]
pub enum Preset {
    Number(f64),
    Init(InitSpec),
    /// One of a choice.
    Word(&'static str),
    /// This framework has none: the spec must say.
    Required,
}

use Preset::{Number, Required, Word};

struct Row {
    /// `Layer.setting`, `op.parameter`.
    key: &'static str,
    keras: Preset,
    torch: Preset,
}

const ZEROS: Preset = constant(0.0);

const fn constant(x: f64) -> Preset {
    Preset::Init(InitSpec::Fixed(Init::Constant(x)))
}

/// Uniform within `sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio, 2010).
const GLOROT_UNIFORM: Preset =
    Preset::Init(InitSpec::Scaled { scale: 1.0, mode: FanMode::Average, uniform: true, truncated: false });

/// Keras' `uniform`.
const UNIFORM: Preset = Preset::Init(InitSpec::Fixed(Init::Uniform { bound: InitScale::Fixed(0.05) }));

const STANDARD_NORMAL: Preset =
    Preset::Init(InitSpec::Fixed(Init::Normal { mean: 0.0, std: InitScale::Fixed(1.0) }));

/// Uniform within `1 / sqrt(fan_in)`: what `kaiming_uniform_(a=sqrt(5))` comes to, for biases too.
const TORCH_LINEAR: Preset =
    Preset::Init(InitSpec::Scaled { scale: 1.0 / 3.0, mode: FanMode::In, uniform: true, truncated: false });

/// Rows or columns at right angles.
const ORTHOGONAL: Preset = Preset::Init(InitSpec::Fixed(Init::Orthogonal { gain: 1.0 }));

#[rustfmt::skip]
static TABLE: &[Row] = &[
    // layers
    Row { key: "Dense.init",                         keras: GLOROT_UNIFORM,  torch: TORCH_LINEAR },
    Row { key: "MultiHeadAttention.init",            keras: GLOROT_UNIFORM,  torch: GLOROT_UNIFORM },
    Row { key: "Dense.bias_init",                    keras: ZEROS,           torch: TORCH_LINEAR },
    Row { key: "Embedding.init",                     keras: UNIFORM,         torch: STANDARD_NORMAL },
    Row { key: "Conv.init",                          keras: GLOROT_UNIFORM,  torch: TORCH_LINEAR },
    Row { key: "Conv.bias_init",                     keras: ZEROS,           torch: TORCH_LINEAR },
    // PyTorch's bound is 1 / sqrt(units) for all weights of a recurrent layer
    Row { key: "RNN.init",                           keras: GLOROT_UNIFORM,  torch: TORCH_LINEAR },
    Row { key: "RNN.recurrent_init",                 keras: ORTHOGONAL,      torch: TORCH_LINEAR },
    Row { key: "RNN.bias_init",                      keras: ZEROS,           torch: TORCH_LINEAR },
    Row { key: "LeakyReLU.slope",                    keras: Number(0.3),     torch: Number(0.01) },
    Row { key: "PReLU.per",                          keras: Word("element"), torch: Word("layer") },
    Row { key: "PReLU.init",                         keras: ZEROS,           torch: constant(0.25) },
    // Keras' momentum of 0.99, PyTorch's of 0.1
    Row { key: "BatchNorm.decay",                    keras: Number(0.99),    torch: Number(0.9) },
    Row { key: "BatchNorm.epsilon",                  keras: Number(1e-3),    torch: Number(1e-5) },
    Row { key: "LayerNorm.epsilon",                  keras: Number(1e-3),    torch: Number(1e-5) },
    Row { key: "GroupNorm.epsilon",                  keras: Number(1e-3),    torch: Number(1e-5) },
    // PyTorch adds the distance from 1 to the next f32
    Row { key: "RMSNorm.epsilon",                    keras: Number(1e-6),    torch: Number(1.1920928955078125e-7) },
    // norms without weights, called as functions
    Row { key: "layer_norm.epsilon",                 keras: Number(1e-3),    torch: Number(1e-5) },
    Row { key: "rms_norm.epsilon",                   keras: Number(1e-6),    torch: Number(1.1920928955078125e-7) },
    // activations called as functions: `keras.activations.leaky_relu` has its own default
    Row { key: "leaky_relu.slope",                   keras: Number(0.2),     torch: Number(0.01) },
    // optimizers
    Row { key: "SGD.lr",                             keras: Number(0.01),    torch: Required },
    Row { key: "SGD.momentum",                       keras: Number(0.0),     torch: Number(0.0) },
    Row { key: "Adam.lr",                            keras: Number(1e-3),    torch: Number(1e-3) },
    Row { key: "Adam.beta_1",                        keras: Number(0.9),     torch: Number(0.9) },
    Row { key: "Adam.beta_2",                        keras: Number(0.999),   torch: Number(0.999) },
    Row { key: "Adam.epsilon",                       keras: Number(1e-7),    torch: Number(1e-8) },
    Row { key: "AdamW.lr",                           keras: Number(1e-3),    torch: Number(1e-3) },
    Row { key: "AdamW.weight_decay",                 keras: Number(0.004),   torch: Number(0.01) },
    Row { key: "AdamW.beta_1",                       keras: Number(0.9),     torch: Number(0.9) },
    Row { key: "AdamW.beta_2",                       keras: Number(0.999),   torch: Number(0.999) },
    Row { key: "AdamW.epsilon",                      keras: Number(1e-7),    torch: Number(1e-8) },
    Row { key: "Adamax.lr",                          keras: Number(1e-3),    torch: Number(2e-3) },
    Row { key: "Adamax.beta_1",                      keras: Number(0.9),     torch: Number(0.9) },
    Row { key: "Adamax.beta_2",                      keras: Number(0.999),   torch: Number(0.999) },
    Row { key: "Adamax.epsilon",                     keras: Number(1e-7),    torch: Number(1e-8) },
    Row { key: "Nadam.lr",                           keras: Number(1e-3),    torch: Number(2e-3) },
    Row { key: "Nadam.beta_1",                       keras: Number(0.9),     torch: Number(0.9) },
    Row { key: "Nadam.beta_2",                       keras: Number(0.999),   torch: Number(0.999) },
    Row { key: "Nadam.epsilon",                      keras: Number(1e-7),    torch: Number(1e-8) },
    Row { key: "Nadam.momentum_decay",               keras: Number(1.0),     torch: Number(4e-3) },
    // PyTorch has no Lion
    Row { key: "Lion.lr",                            keras: Number(1e-3),    torch: Required },
    Row { key: "Lion.beta_1",                        keras: Number(0.9),     torch: Number(0.9) },
    Row { key: "Lion.beta_2",                        keras: Number(0.99),    torch: Number(0.99) },
    Row { key: "RMSprop.lr",                         keras: Number(1e-3),    torch: Number(0.01) },
    Row { key: "RMSprop.rho",                        keras: Number(0.9),     torch: Number(0.99) },
    Row { key: "RMSprop.momentum",                   keras: Number(0.0),     torch: Number(0.0) },
    Row { key: "RMSprop.epsilon",                    keras: Number(1e-7),    torch: Number(1e-8) },
    Row { key: "Adagrad.lr",                         keras: Number(1e-3),    torch: Number(0.01) },
    Row { key: "Adagrad.initial_accumulator_value",  keras: Number(0.1),     torch: Number(0.0) },
    Row { key: "Adagrad.epsilon",                    keras: Number(1e-7),    torch: Number(1e-10) },
    Row { key: "Adadelta.lr",                        keras: Number(1e-3),    torch: Number(1.0) },
    Row { key: "Adadelta.rho",                       keras: Number(0.95),    torch: Number(0.9) },
    Row { key: "Adadelta.epsilon",                   keras: Number(1e-7),    torch: Number(1e-6) },
    // schedules
    Row { key: "polynomial.end",                     keras: Number(1e-4),    torch: Number(0.0) },
    Row { key: "cosine_restarts.t_mul",              keras: Number(2.0),     torch: Number(1.0) },
];

/// The framework's default under a key, `None` if the table has no such row.
pub fn preset(framework: Framework, key: &str) -> Option<&'static Preset> {
    let row = TABLE.iter().find(|row| row.key == key)?;
    Some(match framework {
        Framework::Keras => &row.keras,
        Framework::Torch => &row.torch,
    })
}

/// The same as a checked setting; `None` where the framework demands one.
///
/// # Panics
/// If a signature names a key that the table lacks.
pub fn attr(framework: Framework, key: &str) -> Option<AttrValue> {
    match preset(framework, key).unwrap_or_else(|| panic!("defaults: the table has a row `{key}`")) {
        Number(x) => Some(AttrValue::Float(*x)),
        Preset::Init(spec) => Some(AttrValue::Init(spec.clone())),
        Word(word) => Some(AttrValue::Word((*word).to_string())),
        Required => None,
    }
}

/// The default of a parameter of a library op, where the frameworks differ.
pub fn op_setting(framework: Framework, op: &str, param: &str) -> Option<f64> {
    match preset(framework, &format!("{op}.{param}"))? {
        Number(x) => Some(*x),
        Preset::Init(_) | Word(_) | Required => None,
    }
}

impl Framework {
    /// The word behind `defaults` on line one.
    pub fn parse(word: &str) -> Option<Framework> {
        match word {
            "keras" => Some(Framework::Keras),
            "torch" => Some(Framework::Torch),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Framework::Keras => "keras",
            Framework::Torch => "torch",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique() {
        for (i, row) in TABLE.iter().enumerate() {
            assert!(TABLE[..i].iter().all(|r| r.key != row.key), "{} stands twice", row.key);
        }
    }

    #[test]
    fn frameworks_differ_where_they_should() {
        assert_eq!(op_setting(Framework::Keras, "Adam", "epsilon"), Some(1e-7));
        assert_eq!(op_setting(Framework::Torch, "Adam", "epsilon"), Some(1e-8));
        assert_eq!(attr(Framework::Torch, "SGD.lr"), None);
        assert_eq!(attr(Framework::Keras, "LeakyReLU.slope"), Some(AttrValue::Float(0.3)));
    }
}
