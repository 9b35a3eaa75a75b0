//! Convolutions that keep channels apart, and those that mix them afterwards.

use super::conv::{
    ACTIVATION, BIAS, BIAS_INIT, DILATION, FILTERS, Fans, INIT, KERNEL, STRIDES, finish, join_last,
    kernel_shape, slides,
};
use super::places::{SAME_OR_VALID, Slide, around, padded, sizes, windows};
use super::{Built, OpDef, penalty};
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::{Attr, AttrType, Call, Default, Framework, Library, Sig};

const MULTIPLIER: Attr = Attr {
    name: "multiplier",
    ty: AttrType::Size { min: 1 },
    default: Default::Int(1),
    doc: "How many channels come of each.",
};

pub struct DepthwiseConv2D;

static DEPTHWISE: Sig = Sig {
    name: "DepthwiseConv2D",
    aliases: &[],
    doc: "A convolution of each channel by itself: y[h, w, c * multiplier + m] = activation(sum over i, j of\n\
          x[h + i, w + j, c] * weight[i, j, c, m] + bias), h and w times strides, i and j times dilation.\n\
          Input `f32[B, height, width, n]`, output `f32[B, .., .., n * multiplier]`;\n\
          `weight: f32[kernel, kernel, n, multiplier]`, `bias: f32[n * multiplier]`.",
    example: "Reshape(-1, 1, 1) |> DepthwiseConv2D(3, padding=same, multiplier=2)",
    inputs: &["x"],
    attrs: &[
        KERNEL,
        STRIDES,
        SAME_OR_VALID,
        DILATION,
        MULTIPLIER,
        ACTIVATION,
        BIAS,
        INIT,
        BIAS_INIT,
        penalty::L1,
        penalty::L2,
        penalty::BIAS_L1,
        penalty::BIAS_L2,
    ],
};

impl OpDef for DepthwiseConv2D {
    fn sig(&self) -> &'static Sig {
        &DEPTHWISE
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let slides = slides(call, "kernel")?;
        let fans = fans(b, call, x, &slides)?;
        let (y, penalties) = apart(b, call, x, &slides, ("weight", &fans))?;
        finish(lib, b, call, y, &fans, penalties)
    }
}

pub struct SeparableConv2D;

static SEPARABLE: Sig = Sig {
    name: "SeparableConv2D",
    aliases: &["SeparableConvolution2D"],
    doc: "A convolution of each channel by itself, then one that mixes channels at each place (Chollet, 2017):\n\
          far fewer weights than a `Conv2D` of the same size. Input `f32[B, height, width, n]`, output\n\
          `f32[B, .., .., filters]`; `depthwise.weight: f32[kernel, kernel, n, multiplier]`,\n\
          `pointwise.weight: f32[n * multiplier, filters]`, `bias: f32[filters]`.",
    example: "Reshape(-1, 1, 1) |> SeparableConv2D(2, 3, padding=same)",
    inputs: &["x"],
    attrs: &[
        FILTERS,
        KERNEL,
        STRIDES,
        SAME_OR_VALID,
        DILATION,
        MULTIPLIER,
        ACTIVATION,
        BIAS,
        INIT,
        BIAS_INIT,
        penalty::L1,
        penalty::L2,
        penalty::BIAS_L1,
        penalty::BIAS_L2,
    ],
};

impl OpDef for SeparableConv2D {
    fn sig(&self) -> &'static Sig {
        &SEPARABLE
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let slides = slides(call, "kernel")?;
        let each = fans(b, call, x, &slides)?;
        let (y, mut penalties) = apart(b, call, x, &slides, ("depthwise.weight", &each))?;

        let (channels, filters) = (b.shape(y)[3].clone(), call.size("filters"));
        let mixed = Fans { incoming: channels.clone(), outgoing: filters.clone() };
        let init = call.init("init").resolve(&mixed.incoming, &mixed.outgoing);
        let weight = call.param(b, "pointwise.weight", vec![channels, filters].into(), init)?;
        penalties.extend(penalty::of(b, call, "", weight));
        let y = b.contract("..c,cf->..f", y, weight);
        finish(lib, b, call, y, &mixed, penalties)
    }
}

/// Keras counts all channels, PyTorch those of a group, which has one.
fn fans(b: &Builder, call: &Call, x: Value, slides: &[Slide]) -> Result<Fans, Diagnostic> {
    sizes(b, call, x, slides.len())?;
    let channels = match call.framework {
        Framework::Keras => b.shape(x)[slides.len() + 1].clone(),
        Framework::Torch => Dim::one(),
    };
    Ok(Fans::of(slides, &channels, &call.size("multiplier")))
}

/// Each channel convolved by itself, and what the weight costs.
fn apart(
    b: &mut Builder,
    call: &Call,
    x: Value,
    slides: &[Slide],
    (name, fans): (&str, &Fans),
) -> Result<(Value, Vec<Value>), Diagnostic> {
    let sizes = sizes(b, call, x, slides.len())?;
    let around = around(call, &sizes, slides, call.padding())?;
    let (channels, multiplier) = (b.shape(x)[slides.len() + 1].clone(), call.size("multiplier"));
    let mut shape = kernel_shape(slides);
    shape.extend([channels, multiplier]);
    let init = call.init("init").resolve(&fans.incoming, &fans.outgoing);
    let weight = call.param(b, name, shape.into(), init)?;
    let penalties = penalty::of(b, call, "", weight);

    // Sums of products, not a contraction: every channel would be a product of its own, one column wide.
    let x = padded(b, x, &around, 0.0);
    let seen = windows(b, x, slides);
    let each = b.shape(seen).with_axis(6, b.shape(weight)[3].clone());
    let seen = b.broadcast(seen, each.clone(), &[0, 1, 2, 3, 4, 5]);
    let weight = b.broadcast(weight, each, &[2, 4, 5, 6]);
    let products = b.mul(seen, weight);
    let y = b.sum(products, &[2, 4]);
    Ok((join_last(b, y), penalties))
}
