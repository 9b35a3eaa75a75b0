//! Clipping: gradients before the optimizer sees them, or weights behind it.
//!
//! The formulas are those of `std/clip.mlspec`; here is which numbers they are about.

use super::formula::{Given, Item, apply_std};
use super::{Attr, AttrType, Default, Framework, Library, Sig};
use crate::base::Span;
use crate::graph::{Builder, Value};
use std::fmt;

/// A way to clip.
#[derive(Debug)]
pub struct ClipDef {
    pub sig: Sig,
    what: What,
}

/// What is held within the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Each number of each gradient.
    Numbers,
    /// The norm of each weight's gradient.
    EachNorm,
    /// The norm of all gradients together.
    GlobalNorm,
    /// Each number of each weight, after its update.
    Weights,
}

/// A bound of 0 would stop all training, and divide by 0.
const SMALLEST: f64 = 1e-9;

static BOUND: &[Attr] = &[Attr {
    name: "bound",
    ty: AttrType::Float { min: SMALLEST, max: f64::MAX, open: false },
    default: Default::Required,
    doc: "The largest magnitude that is left.",
}];

const fn clip(
    name: &'static str,
    aliases: &'static [&'static str],
    doc: &'static str,
    example: &'static str,
    what: What,
) -> ClipDef {
    ClipDef { sig: Sig { name, aliases, doc, example, inputs: &[], attrs: BOUND }, what }
}

/// Every way to clip.
pub static CLIPS: &[ClipDef] = &[
    clip(
        "value",
        &["clipvalue", "clip_value", "clip_grad_value_"],
        "Each number of a gradient between -bound and bound (Keras' clipvalue).",
        "value(0.5)",
        What::Numbers,
    ),
    clip(
        "norm",
        &["clipnorm", "clip_norm"],
        "The gradient of each weight scaled to a norm of at most `bound` (Keras' clipnorm).",
        "norm(1.0)",
        What::EachNorm,
    ),
    clip(
        "global_norm",
        &["global_clipnorm", "clip_by_global_norm", "clip_grad_norm_"],
        "All gradients scaled by one factor, so that their norm together is at most `bound` (Pascanu et al., 2013; \
         Keras' global_clipnorm, PyTorch's clip_grad_norm_).",
        "global_norm(1.0)",
        What::GlobalNorm,
    ),
    clip(
        "weights",
        &["clip_weights"],
        "Each weight between -bound and bound after its update (Arjovsky et al., 2017).",
        "weights(0.01)",
        What::Weights,
    ),
];

/// The way to clip of that name.
pub fn find(name: &str) -> Option<&'static ClipDef> {
    CLIPS.iter().find(|c| c.sig.name == name)
}

/// Our name of what is called `name` elsewhere.
pub fn alias(name: &str) -> Option<&'static str> {
    CLIPS.iter().find(|c| c.sig.aliases.contains(&name)).map(|c| c.sig.name)
}

/// A call such as `global_norm(1.0)`, checked.
#[derive(Clone, Debug)]
pub struct Clip {
    pub def: &'static ClipDef,
    pub bound: f64,
    pub span: Span,
}

/// `global_norm(1.0)`
impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}({:?})", self.def.sig.name, self.bound)
    }
}

impl Clip {
    /// The gradients that the optimizer is given, for those of the loss.
    pub fn gradients(&self, lib: &Library, b: &mut Builder, gradients: &[Value]) -> Vec<Value> {
        b.at(self.span);
        match self.def.what {
            What::Numbers => gradients.iter().map(|g| self.formula(lib, b, "clip_value", "g", *g)).collect(),
            What::EachNorm => {
                let scaled = gradients.iter().map(|g| {
                    let squares = squares(b, *g);
                    let factor = self.factor(lib, b, squares);
                    b.mul(*g, factor)
                });
                scaled.collect()
            }
            What::GlobalNorm => {
                let each: Vec<Value> = gradients.iter().map(|g| squares(b, *g)).collect();
                let Some(all) = each.into_iter().reduce(|sum, squares| b.add(sum, squares)) else {
                    return Vec::new();
                };
                let factor = self.factor(lib, b, all);
                gradients.iter().map(|g| b.mul(*g, factor)).collect()
            }
            What::Weights => gradients.to_vec(),
        }
    }

    /// The weight that is kept, for what the optimizer made of it.
    pub fn weight(&self, lib: &Library, b: &mut Builder, next: Value) -> Value {
        match self.def.what {
            What::Weights => self.formula(lib, b, "clip_value", "g", next),
            What::Numbers | What::EachNorm | What::GlobalNorm => next,
        }
    }

    fn factor(&self, lib: &Library, b: &mut Builder, squares: Value) -> Value {
        let op = match lib.framework() {
            Framework::Keras => "clip_factor",
            Framework::Torch => "clip_factor_torch",
        };
        self.formula(lib, b, op, "squares", squares)
    }

    fn formula(&self, lib: &Library, b: &mut Builder, op: &str, input: &str, value: Value) -> Value {
        let given = [(input, Item::Tensor(value)), ("bound", Item::float(self.bound))];
        let args = given.into_iter().map(|(name, item)| Given::named(name, item, self.span)).collect();
        let made = apply_std(lib, b, op, args, self.span);
        made.unwrap_or_else(|why| panic!("clip: its formula fits every gradient: {why:?}"))[0]
    }
}

/// The sum of the squares of all its numbers.
fn squares(b: &mut Builder, gradient: Value) -> Value {
    let squares = b.mul(gradient, gradient);
    b.sum_all(squares)
}
