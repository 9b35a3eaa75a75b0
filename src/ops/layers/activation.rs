//! Activations as stages of a pipe. Each is a formula of `kernels/std` or a builtin.

use super::{Built, OpDef};
use crate::diag::Diagnostic;
use crate::graph::Builder;
use crate::ops::formula::{Given, Item, apply_std};
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

impl OpDef for Activation {
    fn sig(&self) -> &'static Sig {
        self.sig
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let settings = call.sig.attrs.iter().zip(&call.attrs).map(|(attr, (value, at))| {
            let item = attrs::as_item(value).expect("activation: settings are numbers");
            Given::named(attr.name, item, *at)
        });
        let args = std::iter::once(Given::new(Item::Tensor(x), call.span)).chain(settings).collect();
        match apply_std(lib, b, self.op, args, call.span) {
            Ok(values) => Ok(values[0].into()),
            Err(found) => {
                Err(found.into_iter().next().expect("activation: formulas of the library are right"))
            }
        }
    }
}
