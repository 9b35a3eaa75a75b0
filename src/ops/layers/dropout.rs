//! Dropout: noise that keeps units from relying on each other.

use super::places::sizes;
use super::{Built, OpDef};
use crate::base::{Dim, Shape};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
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
        let shape = b.shape(x).clone();
        Ok(dropped(b, call, x, shape).into())
    }
}

/// `x` with zeros where a draw says so, and the rest as much larger as makes up for it. One draw for each
/// element of `draws`, whose axes are those of `x` or 1.
fn dropped(b: &mut Builder, call: &Call, x: Value, draws: Shape) -> Value {
    let rate = call.float("rate");
    let draw = b.random(call.site(b), draws);
    let rate_value = b.constant(rate);
    let keep = b.ge(draw, rate_value);
    let scale = b.constant(1.0 / (1.0 - rate));
    let scaled = b.mul(x, scale);
    let zero = b.constant(0.0);
    b.select(keep, scaled, zero)
}

/// Drops whole channels, over one axis of places or two.
pub struct SpatialDropout {
    sig: &'static Sig,
    axes: usize,
}

pub static SPATIAL_1D: SpatialDropout = SpatialDropout { sig: &SIG_SPATIAL_1D, axes: 1 };
pub static SPATIAL_2D: SpatialDropout = SpatialDropout { sig: &SIG_SPATIAL_2D, axes: 2 };

const RATE: Attr = Attr {
    name: "rate",
    ty: AttrType::Float { min: 0.0, max: 1.0, open: true },
    default: Default::Required,
    doc: "The share of channels that is dropped.",
};

static SIG_SPATIAL_1D: Sig = Sig {
    name: "SpatialDropout1D",
    aliases: &["Dropout1d", "nn.Dropout1d"],
    doc: "Dropout of whole channels of a sequence `f32[B, length, n]`: neighbours are much alike, so that single\n\
          elements would not be missed (Tompson et al., 2015).",
    example: "Reshape(-1, 1) |> SpatialDropout1D(0.2)",
    inputs: &["x"],
    attrs: &[RATE],
};

static SIG_SPATIAL_2D: Sig = Sig {
    name: "SpatialDropout2D",
    aliases: &["Dropout2d", "nn.Dropout2d"],
    doc: "Dropout of whole channels of an image `f32[B, height, width, n]`: neighbours are much alike, so that\n\
          single elements would not be missed (Tompson et al., 2015).",
    example: "Reshape(-1, 1, 1) |> SpatialDropout2D(0.2)",
    inputs: &["x"],
    attrs: &[RATE],
};

impl OpDef for SpatialDropout {
    fn sig(&self) -> &'static Sig {
        self.sig
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        sizes(b, call, x, self.axes)?;
        if call.mode == Mode::Eval || call.float("rate") == 0.0 {
            return Ok(x.into());
        }
        let draws = (1..=self.axes).fold(b.shape(x).clone(), |draws, axis| draws.with(axis, Dim::one()));
        Ok(dropped(b, call, x, draws).into())
    }
}
