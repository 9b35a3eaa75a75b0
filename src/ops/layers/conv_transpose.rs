//! Conv2DTranspose: a convolution read backwards, which makes images larger.

use super::conv::{
    ACTIVATION, BIAS, BIAS_INIT, DILATION, FILTERS, Fans, INIT, KERNEL, STRIDES, finish, kernel_shape, slides,
};
use super::places::{Padding, SAME_OR_VALID, Slide, sizes, windows};
use super::{Built, OpDef, penalty};
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::{Call, Library, Sig};

pub struct Conv2DTranspose;

static SIG: Sig = Sig {
    name: "Conv2DTranspose",
    aliases: &["ConvTranspose2d", "Deconvolution2D", "Convolution2DTranspose", "nn.ConvTranspose2d"],
    doc: "What a `Conv2D` of these settings does, the other way round: each place of the input is spread over\n\
          kernel x kernel places, strides apart, and where they meet they add up (Zeiler et al., 2010). Input\n\
          `f32[B, h, w, n]`; output `f32[B, h * strides, w * strides, filters]` with padding=same, and\n\
          as much more as the kernel is larger than the strides with valid. `weight: f32[kernel, kernel, n,\n\
          filters]`, `bias: f32[filters]`.",
    example: "Reshape(-1, 1, 1) |> Conv2DTranspose(2, 3, strides=2, padding=same)",
    inputs: &["x"],
    attrs: &[
        FILTERS,
        KERNEL,
        STRIDES,
        SAME_OR_VALID,
        DILATION,
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

impl OpDef for Conv2DTranspose {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let sizes = sizes(b, call, x, 2)?;
        let slides = slides(call, "kernel")?;
        let (channels, filters) = (b.shape(x)[3].clone(), call.size("filters"));
        // Both frameworks count the fans of the convolution that this one turns round.
        let fans = Fans::of(&slides, &filters, &channels);
        let mut shape = kernel_shape(&slides);
        shape.extend([channels, filters]);
        let init = call.init("init").resolve(&fans.incoming, &fans.outgoing);
        let weight = call.param(b, "weight", shape.into(), init)?;
        let penalties = penalty::of(b, call, "", weight);

        let x = stretched(b, x, &sizes, &slides, call.padding());
        let steps: Vec<Slide> = slides.iter().map(|s| Slide { stride: 1, ..*s }).collect();
        let seen = windows(b, x, &steps);
        let turned = b.flip(weight, &[0, 1]);
        let y = b.contract("bhiwjc,ijcf->bhwf", seen, turned);
        finish(lib, b, call, y, &fans, penalties)
    }
}

/// The input with `strides - 1` zeros between neighbours, and as many around it as the result needs.
fn stretched(b: &mut Builder, x: Value, sizes: &[Dim], slides: &[Slide], padding: Padding) -> Value {
    let (mut lo, mut hi) = (vec![Dim::zero(); 4], vec![Dim::zero(); 4]);
    let mut inner = vec![0; 4];
    for (i, (n, slide)) in sizes.iter().zip(slides).enumerate() {
        let (stride, reach) = (slide.stride as i64, slide.reach() as i64);
        // What spreads beyond the strides is cut off in halves by padding=same.
        let beyond = (reach + 1 - stride).max(0);
        let (cut, size) = match padding {
            Padding::Same => (beyond / 2, n.clone() * Dim::from(stride)),
            Padding::Valid | Padding::Causal => (0, n.clone() * Dim::from(stride) + Dim::from(beyond)),
        };
        let spread = (n.clone() - Dim::one()) * Dim::from(stride) + Dim::one();
        lo[1 + i] = Dim::from(reach - cut);
        hi[1 + i] = size + Dim::from(cut) - spread;
        inner[1 + i] = stride - 1;
    }
    b.pad(x, lo, hi, inner, 0.0)
}
