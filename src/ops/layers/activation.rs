//! Activations as stages of a pipe. Each is a formula of `kernels/std` or a builtin.

use super::{Built, OpDef};
use crate::diag::Diagnostic;
use crate::graph::Builder;
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig, attrs};

/// A layer that is one formula; its settings are the formula's, by name.
pub struct Activation {
    sig: &'static Sig,
    op: &'static str,
}

macro_rules! activation {
    ($id:ident, $name:literal, $op:literal, $aliases:expr, $example:literal, $attrs:expr, $doc:literal) => {
        pub static $id: Activation = Activation {
            sig: &Sig {
                name: $name,
                aliases: $aliases,
                doc: $doc,
                example: $example,
                inputs: &["x"],
                attrs: $attrs,
            },
            op: $op,
        };
    };
}

activation!(
    RELU,
    "ReLU",
    "relu",
    &["Relu", "nn.ReLU"],
    "ReLU",
    &[],
    "What is negative becomes 0. Any shape."
);
activation!(
    LEAKY_RELU,
    "LeakyReLU",
    "leaky_relu",
    &["LeakyRelu", "nn.LeakyReLU"],
    "LeakyReLU(0.2)",
    &[Attr {
        name: "slope",
        ty: AttrType::Float { min: 0.0, max: f64::MAX, open: false },
        default: Default::Table("LeakyReLU.slope"),
        doc: "The factor of the negative side.",
    }],
    "Lets a share of the negative side through. Any shape."
);
activation!(
    SIGMOID,
    "Sigmoid",
    "sigmoid",
    &["nn.Sigmoid"],
    "Sigmoid",
    &[],
    "1 / (1 + exp(-x)), from 0 to 1. Any shape."
);
activation!(
    TANH,
    "Tanh",
    "tanh",
    &["nn.Tanh"],
    "Tanh",
    &[],
    "The hyperbolic tangent, from -1 to 1. Any shape."
);
activation!(
    SOFTMAX,
    "Softmax",
    "softmax",
    &["nn.Softmax"],
    "Softmax",
    &[Attr {
        name: "axis",
        ty: AttrType::Int { min: i64::MIN, max: i64::MAX },
        default: Default::Int(-1),
        doc: "The axis whose elements sum to 1.",
    }],
    "Shares of a whole along an axis. Losses take logits: before a loss it is not needed."
);
activation!(
    GELU,
    "GELU",
    "gelu",
    &["Gelu", "nn.GELU"],
    "GELU",
    &[],
    "Gaussian error linear unit, exact. Any shape."
);
activation!(SILU, "SiLU", "silu", &["Swish", "Silu", "nn.SiLU"], "SiLU", &[], "x * sigmoid(x). Any shape.");

activation!(
    ELU,
    "ELU",
    "elu",
    &["Elu", "nn.ELU"],
    "ELU(0.5)",
    &[Attr {
        name: "alpha",
        ty: AttrType::Float { min: 0.0, max: f64::MAX, open: false },
        default: Default::Float(1.0),
        doc: "Where the negative side bends to, below 0.",
    }],
    "Exponential linear unit: x, or alpha * (exp(x) - 1) where x is negative. Any shape."
);

activation!(
    SELU,
    "SELU",
    "selu",
    &["Selu", "nn.SELU"],
    "SELU",
    &[],
    "Scaled exponential linear unit: keeps mean 0 and variance 1 from layer to layer. Any shape."
);
activation!(MISH, "Mish", "mish", &["nn.Mish"], "Mish", &[], "x * tanh(softplus(x)). Any shape.");
activation!(
    SOFTPLUS,
    "Softplus",
    "softplus",
    &["SoftPlus", "nn.Softplus"],
    "Softplus",
    &[],
    "log(1 + exp(x)), a smooth rectifier. Any shape."
);
activation!(
    SOFTSIGN,
    "Softsign",
    "softsign",
    &["SoftSign", "nn.Softsign"],
    "Softsign",
    &[],
    "x / (1 + |x|), from -1 to 1. Any shape."
);
activation!(
    RELU6,
    "ReLU6",
    "relu6",
    &["Relu6", "nn.ReLU6"],
    "ReLU6",
    &[],
    "A rectifier that stops at 6. Any shape."
);
activation!(
    HARD_SIGMOID,
    "HardSigmoid",
    "hard_sigmoid",
    &["Hardsigmoid", "nn.Hardsigmoid"],
    "HardSigmoid",
    &[],
    "x / 6 + 0.5, kept between 0 and 1. Any shape."
);
activation!(
    HARD_SILU,
    "HardSiLU",
    "hard_silu",
    &["HardSwish", "Hardswish", "nn.Hardswish"],
    "HardSiLU",
    &[],
    "x times its hard sigmoid. Any shape."
);
activation!(
    HARD_TANH,
    "HardTanh",
    "hard_tanh",
    &["Hardtanh", "nn.Hardtanh"],
    "HardTanh",
    &[],
    "x, kept between -1 and 1. Any shape."
);
activation!(
    LOG_SIGMOID,
    "LogSigmoid",
    "log_sigmoid",
    &["nn.LogSigmoid"],
    "LogSigmoid",
    &[],
    "The logarithm of sigmoid. Any shape."
);

impl OpDef for Activation {
    fn sig(&self) -> &'static Sig {
        self.sig
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let settings = call.sig.attrs.iter().zip(&call.attrs).map(|(attr, (value, _))| {
            (attr.name, attrs::as_item(value).expect("activation: settings are numbers"))
        });
        Ok(call.formula(lib, b, self.op, vec![x], settings.collect())?.into())
    }
}
