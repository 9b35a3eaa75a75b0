//! Convolutions: each place is a weighted sum of the places around it, with the same weights everywhere.

use super::places::{SAME_OR_VALID, Slide, around, padded, sizes, windows};
use super::{Built, OpDef, penalty};
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig};

/// Over one axis of places or two.
pub struct Conv {
    sig: &'static Sig,
    axes: usize,
}

pub static CONV_1D: Conv = Conv { sig: &SIG_1D, axes: 1 };
pub static CONV_2D: Conv = Conv { sig: &SIG_2D, axes: 2 };

pub(super) const FILTERS: Attr = Attr {
    name: "filters",
    ty: AttrType::Size { min: 1 },
    default: Default::Required,
    doc: "How many channels come out.",
};

pub(super) const KERNEL: Attr = Attr {
    name: "kernel",
    ty: AttrType::Pair { min: 1 },
    default: Default::Required,
    doc: "Height and width of what a place sees; one number for both.",
};

pub(super) const STRIDES: Attr = Attr {
    name: "strides",
    ty: AttrType::Pair { min: 1 },
    default: Default::Int(1),
    doc: "The steps from one place to the next; one number for both axes.",
};

pub(super) const DILATION: Attr = Attr {
    name: "dilation",
    ty: AttrType::Pair { min: 1 },
    default: Default::Int(1),
    doc: "The distance between neighbours that a place sees.",
};

const GROUPS: Attr = Attr {
    name: "groups",
    ty: AttrType::Size { min: 1 },
    default: Default::Int(1),
    doc: "Channels are cut into so many groups, each convolved on its own.",
};

pub(super) const ACTIVATION: Attr = Attr {
    name: "activation",
    ty: AttrType::Activation,
    default: Default::None,
    doc: "A function of one tensor, by name.",
};

pub(super) const BIAS: Attr =
    Attr { name: "bias", ty: AttrType::Bool, default: Default::Bool(true), doc: "Whether a bias is added." };

pub(super) const INIT: Attr = Attr {
    name: "init",
    ty: AttrType::Init,
    default: Default::Table("Conv.init"),
    doc: "How the weight starts.",
};

pub(super) const BIAS_INIT: Attr = Attr {
    name: "bias_init",
    ty: AttrType::Init,
    default: Default::Table("Conv.bias_init"),
    doc: "How the bias starts.",
};

static SIG_1D: Sig = Sig {
    name: "Conv1D",
    aliases: &["Conv1d", "Convolution1D", "nn.Conv1d"],
    doc: "Each place of a sequence is a weighted sum of those around it, the same at every place:\n\
          y[t] = activation(sum over i of x[t * strides + i * dilation] @ weight[i] + bias).\n\
          Input `f32[B, length, n]`, output `f32[B, places, filters]`; `weight: f32[kernel, n / groups,\n\
          filters]`, `bias: f32[filters]`. padding=causal lets no place see what comes after it.",
    example: "Reshape(-1, 1) |> Conv1D(2, 3, padding=causal)",
    inputs: &["x"],
    attrs: &[
        FILTERS,
        Attr {
            name: "kernel",
            ty: AttrType::Size { min: 1 },
            default: Default::Required,
            doc: "How many places one place sees.",
        },
        Attr {
            name: "strides",
            ty: AttrType::Size { min: 1 },
            default: Default::Int(1),
            doc: "The step from one place to the next.",
        },
        Attr {
            name: "padding",
            ty: AttrType::Choice(&["valid", "same", "causal"]),
            default: Default::Word("valid"),
            doc: "valid: stay inside; same: the length stays if strides are 1; causal: the same, all of it before.",
        },
        Attr {
            name: "dilation",
            ty: AttrType::Size { min: 1 },
            default: Default::Int(1),
            doc: "The distance between neighbours that a place sees.",
        },
        GROUPS,
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

static SIG_2D: Sig = Sig {
    name: "Conv2D",
    aliases: &["Conv2d", "Convolution2D", "nn.Conv2d"],
    doc: "Each place of an image is a weighted sum of those around it, the same at every place (LeCun et al.,\n\
          1989): y[h, w] = activation(sum over i, j of x[h + i, w + j] @ weight[i, j] + bias), h and w times\n\
          strides, i and j times dilation. Input `f32[B, height, width, n]`, output `f32[B, .., .., filters]`;\n\
          `weight: f32[kernel, kernel, n / groups, filters]`, `bias: f32[filters]`.",
    example: "Reshape(-1, 1, 1) |> Conv2D(2, 3, padding=same)",
    inputs: &["x"],
    attrs: &[
        FILTERS,
        KERNEL,
        STRIDES,
        SAME_OR_VALID,
        DILATION,
        GROUPS,
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

impl OpDef for Conv {
    fn sig(&self) -> &'static Sig {
        self.sig
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let sizes = sizes(b, call, x, self.axes)?;
        let slides = slides(call, "kernel")?;
        let around = around(call, &sizes, &slides, call.padding())?;

        let channels = b.shape(x)[self.axes + 1].clone();
        let (filters, groups) = (call.size("filters"), call.size("groups"));
        let each_in = share(call, &channels, &groups, "the channels of its input")?;
        let each_out = share(call, &filters, &groups, "the channels that come out")?;
        let fans = Fans::of(&slides, &each_in, &filters);
        let mut shape = kernel_shape(&slides);
        shape.extend([each_in.clone(), filters.clone()]);
        let init = call.init("init").resolve(&fans.incoming, &fans.outgoing);
        let weight = call.param(b, "weight", shape.into(), init)?;
        let penalties = penalty::of(b, call, "", weight);

        let y = if groups.is_one() {
            let x = padded(b, x, &around, 0.0);
            let seen = windows(b, x, &slides);
            let spec = if self.axes == 1 { "bhic,icf->bhf" } else { "bhiwjc,ijcf->bhwf" };
            b.contract(spec, seen, weight)
        } else {
            let x = split_last(b, x, [&groups, &each_in]);
            let x = padded(b, x, &around, 0.0);
            let seen = windows(b, x, &slides);
            let weight = split_last(b, weight, [&groups, &each_out]);
            let spec = if self.axes == 1 { "bhigc,icgf->bhgf" } else { "bhiwjgc,ijcgf->bhwgf" };
            let y = b.contract(spec, seen, weight);
            join_last(b, y)
        };
        finish(lib, b, call, y, &fans, penalties)
    }
}

/// The fans of a convolution: numbers that come into a place of the result, and out of one of the input.
pub(super) struct Fans {
    pub incoming: Dim,
    pub outgoing: Dim,
}

impl Fans {
    pub fn of(slides: &[Slide], channels: &Dim, filters: &Dim) -> Fans {
        let field = slides.iter().fold(Dim::one(), |n, s| n * Dim::from(s.size));
        Fans { incoming: field.clone() * channels.clone(), outgoing: field * filters.clone() }
    }
}

/// The kernel that the settings of a call say, one slide for each axis.
pub(super) fn slides(call: &Call, kernel: &str) -> Result<Vec<Slide>, Diagnostic> {
    let (sizes, strides) = (call.each(kernel)?, call.each("strides")?);
    let dilations = call.each("dilation")?;
    let each = sizes.into_iter().zip(strides).zip(dilations);
    Ok(each.map(|((size, stride), dilation)| Slide { size, stride, dilation }).collect())
}

pub(super) fn kernel_shape(slides: &[Slide]) -> Vec<Dim> {
    slides.iter().map(|s| Dim::from(s.size)).collect()
}

/// Adds the bias and applies the activation.
pub(super) fn finish(
    lib: &Library,
    b: &mut Builder,
    call: &Call,
    mut y: Value,
    fans: &Fans,
    mut penalties: Vec<Value>,
) -> Result<Built, Diagnostic> {
    if call.flag("bias") {
        let channels = b.shape(y).last().expect("conv: the result has channels").clone();
        let init = call.init("bias_init").resolve(&fans.incoming, &fans.outgoing);
        let bias = call.param(b, "bias", vec![channels].into(), init)?;
        penalties.extend(penalty::of(b, call, "bias_", bias));
        y = b.add(y, bias);
    }
    if let Some(op) = call.activation("activation") {
        y = call.activate(lib, b, op, y)?;
    }
    Ok(Built { penalties, ..Built::from(y) })
}

/// What each group has of `all`.
fn share(call: &Call, all: &Dim, groups: &Dim, what: &str) -> Result<Dim, Diagnostic> {
    all.div_exact(groups).ok_or_else(|| {
        call.shape_error(
            &format!("cannot cut {what}, {all}, into {groups} groups"),
            "choose `groups` that divide both the channels of the input and `filters`",
        )
    })
}

/// The last axis as two.
fn split_last(b: &mut Builder, x: Value, [outer, inner]: [&Dim; 2]) -> Value {
    let last = b.shape(x).rank() - 1;
    let shape = b.shape(x).with(last, outer.clone()).with_axis(last + 1, inner.clone());
    b.reshape(x, shape)
}

/// The last two axes as one.
pub(super) fn join_last(b: &mut Builder, x: Value) -> Value {
    let apart = b.shape(x);
    let last = apart.rank() - 1;
    let joined = apart.without(&[last]).with(last - 1, apart[last - 1].clone() * apart[last].clone());
    b.reshape(x, joined)
}
