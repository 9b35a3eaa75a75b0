//! Dense: every output sees every input.

use super::{Built, Masking, OpDef, penalty};
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig};

pub struct Dense;

static SIG: Sig = Sig {
    name: "Dense",
    aliases: &["Linear", "FullyConnected", "nn.Linear"],
    doc: "Every output sees every input: y = activation(x @ weight + bias), on the last axis.\n\
          Input `f32[.., n]`, output `f32[.., units]`; `weight: f32[n, units]`, `bias: f32[units]`.",
    example: "Dense(3, activation=relu)",
    inputs: &["x"],
    attrs: &[
        Attr {
            name: "units",
            ty: AttrType::Size { min: 1 },
            default: Default::Required,
            doc: "How wide the output is.",
        },
        Attr {
            name: "activation",
            ty: AttrType::Activation,
            default: Default::None,
            doc: "A function of one tensor, by name.",
        },
        Attr {
            name: "bias",
            ty: AttrType::Bool,
            default: Default::Bool(true),
            doc: "Whether a bias is added.",
        },
        Attr {
            name: "init",
            ty: AttrType::Init,
            default: Default::Table("Dense.init"),
            doc: "How the weight starts.",
        },
        Attr {
            name: "bias_init",
            ty: AttrType::Init,
            default: Default::Table("Dense.bias_init"),
            doc: "How the bias starts.",
        },
        penalty::L1,
        penalty::L2,
        penalty::BIAS_L1,
        penalty::BIAS_L2,
    ],
};

impl OpDef for Dense {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let units = call.size("units");
        let fan_in = features(b, call, x)?;

        let init = call.init("init").resolve(&fan_in, &units);
        let weight = call.param(b, "weight", vec![fan_in.clone(), units.clone()].into(), init)?;
        let mut penalties = penalty::of(b, call, "", weight);
        let mut y = b.contract("..i,ij->..j", x, weight);
        if call.flag("bias") {
            let init = call.init("bias_init").resolve(&fan_in, &units);
            let bias = call.param(b, "bias", vec![units].into(), init)?;
            penalties.extend(penalty::of(b, call, "bias_", bias));
            y = b.add(y, bias);
        }
        if let Some(op) = call.activation("activation") {
            y = call.activate(lib, b, op, y)?;
        }
        // Of `f32[B, T]` it mixes the steps.
        let mask = if b.shape(x).rank() == 2 { Masking::Dropped } else { Masking::Kept };
        Ok(Built { penalties, mask, ..Built::from(y) })
    }
}

/// The last axis, which is not the batch.
fn features(b: &Builder, call: &Call, x: Value) -> Result<Dim, Diagnostic> {
    match b.shape(x).dims() {
        [_, .., last] => Ok(last.clone()),
        [] | [_] => Err(call.shape_error(
            &format!("needs rows of features, but its input is {}", b.ty(x)),
            "give each row an axis of features: `Reshape(1)` makes one of size 1",
        )),
    }
}
