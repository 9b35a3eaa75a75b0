//! Layers that change how many places there are: more around them, fewer, or between them.

use super::places::{padded, sizes};
use super::{Built, OpDef};
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig};

pub struct ZeroPadding2D;

static ZERO_PADDING: Sig = Sig {
    name: "ZeroPadding2D",
    aliases: &["ZeroPad2d", "nn.ZeroPad2d"],
    doc: "Zeros around an image. Input `f32[B, height, width, n]`; `padding=1` adds one row and column at each\n\
          side, `(1, 2)` one above and below, two left and right, `((1, 0), (2, 2))` names all four.",
    example: "Reshape(-1, 1, 1) |> ZeroPadding2D(((1, 0), (2, 1)))",
    inputs: &["x"],
    attrs: &[Attr {
        name: "padding",
        ty: AttrType::Sides,
        default: Default::Int(1),
        doc: "How many zeros at each side.",
    }],
};

impl OpDef for ZeroPadding2D {
    fn sig(&self) -> &'static Sig {
        &ZERO_PADDING
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        sizes(b, call, x, 2)?;
        let around = sides(call.sizes("padding"));
        Ok(padded(b, x, &around, 0.0).into())
    }
}

/// Before and behind each axis.
fn sides(numbers: &[Dim]) -> Vec<[Dim; 2]> {
    numbers.chunks(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect()
}

/// Cuts places off, along one axis or two.
pub struct Cropping {
    sig: &'static Sig,
    axes: usize,
}

pub static CROPPING_1D: Cropping = Cropping { sig: &SIG_CROPPING_1D, axes: 1 };
pub static CROPPING_2D: Cropping = Cropping { sig: &SIG_CROPPING_2D, axes: 2 };

static SIG_CROPPING_1D: Sig = Sig {
    name: "Cropping1D",
    aliases: &[],
    doc: "Cuts places off both ends of a sequence `f32[B, length, n]`: `cropping=1` one at each, `(1, 2)` one at\n\
          the start and two at the end.",
    example: "Reshape(-1, 1) |> Cropping1D((0, 0))",
    inputs: &["x"],
    attrs: &[Attr {
        name: "cropping",
        ty: AttrType::Pair { min: 0 },
        default: Default::Int(1),
        doc: "How many places go at each end.",
    }],
};

static SIG_CROPPING_2D: Sig = Sig {
    name: "Cropping2D",
    aliases: &[],
    doc: "Cuts rows and columns off an image `f32[B, height, width, n]`: `cropping=1` one at each side, `(1, 2)`\n\
          one above and below, two left and right, `((1, 0), (2, 2))` names all four.",
    example: "Reshape(1, -1, 1) |> Cropping2D(((0, 0), (0, 0)))",
    inputs: &["x"],
    attrs: &[Attr {
        name: "cropping",
        ty: AttrType::Sides,
        default: Default::Int(0),
        doc: "How many rows and columns go at each side.",
    }],
};

impl OpDef for Cropping {
    fn sig(&self) -> &'static Sig {
        self.sig
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.input(0);
        let sizes = sizes(b, call, x, self.axes)?;
        let cut = sides(call.sizes("cropping"));
        let mut y = x;
        for (axis, (n, [before, behind])) in sizes.iter().zip(cut).enumerate() {
            let left = n.clone() - before.clone() - behind;
            if left.as_const().is_some_and(|n| n < 1) {
                let message = format!("leaves nothing of the {n} places of {}", b.ty(x));
                return Err(call.shape_error(&message, "cut fewer off"));
            }
            y = b.slice_axis(y, 1 + axis, before, left);
        }
        Ok(y.into())
    }
}

pub struct UpSampling2D;

static UP_SAMPLING: Sig = Sig {
    name: "UpSampling2D",
    aliases: &["Upsample", "UpsamplingNearest2d", "nn.Upsample"],
    doc: "An image `size` times as high and wide. nearest repeats rows and columns; bilinear draws lines between\n\
          the centres of neighbours, and goes on with the outermost beyond them. Input `f32[B, h, w, n]`,\n\
          output `f32[B, h * size, w * size, n]`.",
    example: "Reshape(-1, 1, 1) |> UpSampling2D(2, interpolation=bilinear)",
    inputs: &["x"],
    attrs: &[
        Attr {
            name: "size",
            ty: AttrType::Pair { min: 1 },
            default: Default::Int(2),
            doc: "How many times as high and wide; one number for both.",
        },
        Attr {
            name: "interpolation",
            ty: AttrType::Choice(&["nearest", "bilinear"]),
            default: Default::Word("nearest"),
            doc: "What stands between the places of the input.",
        },
    ],
};

impl OpDef for UpSampling2D {
    fn sig(&self) -> &'static Sig {
        &UP_SAMPLING
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let sizes = sizes(b, call, x, 2)?;
        let factors = call.each("size")?;
        if call.word("interpolation") == "nearest" {
            return Ok(repeated(b, x, [factors[0], factors[1]]).into());
        }
        let rows = between(b, &sizes[0], factors[0]);
        let columns = between(b, &sizes[1], factors[1]);
        let taller = b.exact_contract("bhwc,oh->bowc", x, rows);
        Ok(b.exact_contract("bhwc,ow->bhoc", taller, columns).into())
    }
}

/// Each row and column so many times.
fn repeated(b: &mut Builder, x: Value, [down, across]: [usize; 2]) -> Value {
    let [batch, h, w, c] = [0, 1, 2, 3].map(|axis| b.shape(x)[axis].clone());
    let (down, across) = (Dim::from(down), Dim::from(across));
    let each = vec![batch.clone(), h.clone(), down.clone(), w.clone(), across.clone(), c.clone()];
    let spread = b.broadcast(x, each, &[0, 1, 3, 5]);
    b.reshape(spread, vec![batch, h * down, w * across, c])
}

/// `f32[n * factor, n]`: what each new place takes of each old one, by the distance of their centres.
fn between(b: &mut Builder, n: &Dim, factor: usize) -> Value {
    let shape = [n.clone() * Dim::from(factor), n.clone()];
    let (new, old) = (b.iota(shape.clone(), 0), b.iota(shape, 1));
    let (new, old) = (b.to_f32(new), b.to_f32(old));
    let (half, zero, one) = (b.constant(0.5), b.constant(0.0), b.constant(1.0));
    let factor = b.constant(factor as f64);
    let centre = b.add(new, half);
    let centre = b.div(centre, factor);
    let centre = b.sub(centre, half);
    // The first and the last go on beyond their centres.
    let last = b.size(&(n.clone() - Dim::one()));
    let centre = b.max(centre, zero);
    let centre = b.min(centre, last);
    let apart = b.sub(centre, old);
    let apart = b.abs(apart);
    let near = b.sub(one, apart);
    b.max(near, zero)
}
