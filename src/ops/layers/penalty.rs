//! Regularisers: what weights or activations cost, added to the loss (Tikhonov, 1943; Tibshirani, 1996).
//!
//! Sums, not means, as in Keras: `l1 * sum(abs(w)) + l2 * sum(w^2)`. PyTorch's `weight_decay` of SGD is the
//! gradient of `weight_decay / 2 * sum(w^2)`.

use super::{Built, OpDef, batch_first};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig};

const fn factor(name: &'static str, doc: &'static str) -> Attr {
    Attr {
        name,
        ty: AttrType::Float { min: 0.0, max: f64::MAX, open: false },
        default: Default::Float(0.0),
        doc,
    }
}

pub(super) const L1: Attr = factor("l1", "Times the sum of the weight's magnitudes, added to the loss.");
pub(super) const L2: Attr = factor("l2", "Times the sum of the weight's squares, added to the loss.");
pub(super) const BIAS_L1: Attr = factor("bias_l1", "The same as l1 of the bias.");
pub(super) const BIAS_L2: Attr = factor("bias_l2", "The same as l2 of the bias.");

/// What a weight costs by the settings `l1` and `l2` of the call, or those with `prefix` in front.
pub(super) fn of(b: &mut Builder, call: &Call, prefix: &str, weight: Value) -> Vec<Value> {
    let magnitudes = |b: &mut Builder| b.abs(weight);
    let squares = |b: &mut Builder| b.mul(weight, weight);
    let mut all = Vec::new();
    for (name, measure) in [("l1", &magnitudes as &dyn Fn(&mut Builder) -> Value), ("l2", &squares)] {
        let factor = call.float(&format!("{prefix}{name}"));
        if factor > 0.0 {
            let measured = measure(b);
            let sum = b.sum_all(measured);
            let factor = b.constant(factor);
            all.push(b.mul(factor, sum));
        }
    }
    all
}

pub struct ActivityRegularization;

static SIG: Sig = Sig {
    name: "ActivityRegularization",
    aliases: &[],
    doc: "Hands its input on, and adds to the loss what its elements cost: the mean over rows of\n\
          l1 * sum(abs(x)) + l2 * sum(x^2). Any shape. Makes a code sparse:\n\
          `Dense(32, activation=sigmoid) as code |> ActivityRegularization(l1=1e-4)`.",
    example: "ActivityRegularization(l1=1e-4)",
    inputs: &["x"],
    attrs: &[
        factor("l1", "Times the sum of magnitudes of a row."),
        factor("l2", "Times the sum of squares of a row."),
    ],
};

impl OpDef for ActivityRegularization {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let rows = batch_first(b, call, x)?;
        let rows = b.size(&rows);
        let sums = of(b, call, "", x);
        let penalties = sums.into_iter().map(|sum| b.div(sum, rows)).collect();
        Ok(Built { penalties, ..Built::from(x) })
    }
}
