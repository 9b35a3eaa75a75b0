//! PReLU: a rectifier that learns the slope of its negative side.

use super::{Built, OpDef, batch_first, penalty};
use crate::base::{Dim, Shape};
use crate::diag::Diagnostic;
use crate::graph::Builder;
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig};

pub struct PReLU;

static SIG: Sig = Sig {
    name: "PReLU",
    aliases: &["PRelu", "nn.PReLU"],
    doc: "y = x, or weight * x where x is not positive; the weight is learnt (He et al., 2015).\n\
          Any shape `f32[B, .., n]`. `weight` has a slope for each element of a row, `f32[.., n]`; for\n\
          each channel, the last axis, `f32[n]`; or one for all, `f32[1]`.",
    example: "PReLU",
    inputs: &["x"],
    attrs: &[
        Attr {
            name: "per",
            ty: AttrType::Choice(&["element", "channel", "layer"]),
            default: Default::Table("PReLU.per"),
            doc: "What has a slope of its own.",
        },
        Attr {
            name: "init",
            ty: AttrType::Init,
            default: Default::Table("PReLU.init"),
            doc: "How the slopes start.",
        },
        penalty::L1,
        penalty::L2,
    ],
};

impl OpDef for PReLU {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        batch_first(b, call, x)?;
        let shape = b.shape(x).clone();
        let row = shape.without(&[0]);
        let slopes: Shape = match (call.word("per"), row.last()) {
            ("element", Some(_)) => row,
            ("channel", Some(channels)) => vec![channels.clone()].into(),
            _ => vec![Dim::one()].into(),
        };
        let fan = slopes.size();
        let init = call.init("init").resolve(&fan, &fan);
        let slope = call.param(b, "weight", slopes, init)?;
        let penalties = penalty::of(b, call, "", slope);
        let slope = b.broadcast_to(slope, &shape);
        let bent = b.mul(slope, x);
        let zero = b.constant(0.0);
        let positive = b.gt(x, zero);
        let y = b.select(positive, x, bent);
        Ok(Built { penalties, ..Built::from(y) })
    }
}
