//! Dropout: noise that keeps units from relying on each other.

use super::{Built, OpDef};
use crate::diag::Diagnostic;
use crate::graph::Builder;
use crate::ops::{Attr, AttrType, Call, Default, Library, Mode, Sig};

pub struct Dropout;

static SIG: Sig = Sig {
    name: "Dropout",
    aliases: &["nn.Dropout"],
    doc: "Sets a share of the elements to 0 while training, and scales the others by 1 / (1 - rate);\n\
          in evaluation it does nothing (Srivastava et al., 2014). Any shape.",
    example: "Dropout(0.2)",
    inputs: &["x"],
    attrs: &[Attr {
        name: "rate",
        ty: AttrType::Float { min: 0.0, max: 1.0, open: true },
        default: Default::Required,
        doc: "The share that is dropped.",
    }],
};

impl OpDef for Dropout {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let rate = call.float("rate");
        if call.mode == Mode::Eval || rate == 0.0 {
            return Ok(x.into());
        }
        let draw = b.random(call.site(b), b.shape(x).clone());
        let rate_value = b.constant(rate);
        let keep = b.ge(draw, rate_value);
        let scale = b.constant(1.0 / (1.0 - rate));
        let scaled = b.mul(x, scale);
        let zero = b.constant(0.0);
        Ok(b.select(keep, scaled, zero).into())
    }
}
