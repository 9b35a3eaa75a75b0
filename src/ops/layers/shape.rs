//! Layers that only look at the shape. The batch, axis 0, stays.

use super::{Built, Masking, OpDef, batch_first};
use crate::base::{Dim, Shape};
use crate::diag::Diagnostic;
use crate::graph::Builder;
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig};

pub struct Flatten;

static FLATTEN: Sig = Sig {
    name: "Flatten",
    aliases: &["nn.Flatten"],
    doc: "Each row as one vector: `f32[B, 28, 28]` becomes `f32[B, 784]`.",
    example: "Flatten",
    inputs: &["x"],
    attrs: &[],
};

impl OpDef for Flatten {
    fn sig(&self) -> &'static Sig {
        &FLATTEN
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.input(0);
        let batch = batch_first(b, call, x)?;
        let width = b.shape(x).without(&[0]).size();
        Ok(b.reshape(x, vec![batch, width]).into())
    }
}

pub struct Reshape;

static RESHAPE: Sig = Sig {
    name: "Reshape",
    aliases: &["View", "Unflatten"],
    doc: "The same elements of each row, in order, under other sizes; one of them may be -1.\n\
          `f32[B, 784]` becomes `f32[B, 28, 28]` by `Reshape(28, 28)`.",
    example: "Reshape(3, -1)",
    inputs: &["x"],
    attrs: &[Attr {
        name: "sizes",
        ty: AttrType::Sizes,
        default: Default::Required,
        doc: "The sizes behind the batch.",
    }],
};

impl OpDef for Reshape {
    fn sig(&self) -> &'static Sig {
        &RESHAPE
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.input(0);
        let batch = batch_first(b, call, x)?;
        let have = b.shape(x).without(&[0]).size();
        let sizes = call.sizes("sizes");
        let open = Dim::from(-1);
        let said: Dim = sizes.iter().filter(|d| **d != open).fold(Dim::one(), |n, d| n * d.clone());
        let rest = match sizes.contains(&open) {
            true => have.div_exact(&said),
            false => (said == have).then(Dim::one),
        };
        let Some(rest) = rest else { return Err(does_not_fit(b, call, &have, &said)) };
        let dims = sizes.iter().map(|d| if *d == open { rest.clone() } else { d.clone() });
        let shape: Vec<Dim> = std::iter::once(batch).chain(dims).collect();
        Ok(b.reshape(x, shape).into())
    }
}

fn does_not_fit(b: &Builder, call: &Call, have: &Dim, said: &Dim) -> Diagnostic {
    let wanted = Shape::from(call.sizes("sizes").to_vec());
    let ty = b.ty(call.input(0));
    call.shape_error(
        &format!("cannot make rows of {wanted} from {ty}: {have} elements, {said} wanted"),
        &format!("choose sizes whose product is {have}, or make one of them -1"),
    )
}

pub struct Squeeze;

static SQUEEZE: Sig = Sig {
    name: "Squeeze",
    aliases: &[],
    doc: "Drops a last axis of size 1: `f32[B, 1]` becomes `f32[B]`.",
    example: "Dense(1) |> Squeeze",
    inputs: &["x"],
    attrs: &[],
};

impl OpDef for Squeeze {
    fn sig(&self) -> &'static Sig {
        &SQUEEZE
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.input(0);
        let shape = b.shape(x).clone();
        match shape.dims() {
            [_, middle @ .., last] if last.is_one() => {
                let y = b.reshape(x, shape.without(&[shape.rank() - 1]));
                // One number for each step: what was padding is padding still.
                let kept = call.mask(0).filter(|_| !middle.is_empty());
                Ok(Built { mask: kept.map_or(Masking::Dropped, Masking::Made), ..Built::from(y) })
            }
            _ => Err(call.shape_error(
                &format!("drops a last axis of 1, but its input is {}", b.ty(x)),
                "make the last axis 1 (`Dense(1)`), or leave `Squeeze` out",
            )),
        }
    }
}

pub struct Permute;

static PERMUTE: Sig = Sig {
    name: "Permute",
    aliases: &[],
    doc: "The axes of each row in another order, counted from 1 as Keras does; the batch is not among them.\n\
          `f32[B, 3, 32, 32]` becomes `f32[B, 32, 32, 3]` by `Permute(2, 3, 1)`.",
    example: "Reshape(1, -1) |> Permute(2, 1)",
    inputs: &["x"],
    attrs: &[Attr {
        name: "order",
        ty: AttrType::Sizes,
        default: Default::Required,
        doc: "For each axis of the result, which axis of the row it is.",
    }],
};

impl OpDef for Permute {
    fn sig(&self) -> &'static Sig {
        &PERMUTE
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.input(0);
        batch_first(b, call, x)?;
        let rank = b.shape(x).rank();
        let said = call.sizes("order").iter().map(|d| d.as_const().and_then(|n| usize::try_from(n).ok()));
        let order: Option<Vec<usize>> = std::iter::once(Some(0)).chain(said).collect();
        let whole = order.filter(|order| (0..rank).all(|axis| order.contains(&axis)) && order.len() == rank);
        let Some(order) = whole else {
            let every: Vec<String> = (1..rank).map(|axis| axis.to_string()).collect();
            return Err(call.shape_error(
                &format!("names each axis of a row once, and those of {} are others", b.ty(x)),
                &format!("write {} in another order", every.join(", ")),
            ));
        };
        // Time may stand elsewhere then.
        Ok(Built { mask: Masking::Dropped, ..Built::from(b.permute(x, &order)) })
    }
}

pub struct RepeatVector;

static REPEAT_VECTOR: Sig = Sig {
    name: "RepeatVector",
    aliases: &[],
    doc: "Each row `n` times, one after the other: `f32[B, width]` becomes `f32[B, n, width]`.",
    example: "RepeatVector(3)",
    inputs: &["x"],
    attrs: &[Attr {
        name: "n",
        ty: AttrType::Size { min: 1 },
        default: Default::Required,
        doc: "How many times.",
    }],
};

impl OpDef for RepeatVector {
    fn sig(&self) -> &'static Sig {
        &REPEAT_VECTOR
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.input(0);
        let [batch, width] = b.shape(x).dims() else {
            return Err(call.shape_error(
                &format!("repeats rows of one axis, but its input is {}", b.ty(x)),
                "put `Flatten` before it",
            ));
        };
        let shape = vec![batch.clone(), call.size("n"), width.clone()];
        Ok(b.broadcast(x, shape, &[0, 2]).into())
    }
}

pub struct Rescaling;

static RESCALING: Sig = Sig {
    name: "Rescaling",
    aliases: &[],
    doc: "y = x * scale + offset: `Rescaling(1 / 127.5, -1)` brings bytes to -1 .. 1. Any shape.",
    example: "Rescaling(0.5, -1)",
    inputs: &["x"],
    attrs: &[
        Attr {
            name: "scale",
            ty: AttrType::Float { min: f64::MIN, max: f64::MAX, open: false },
            default: Default::Required,
            doc: "Times this.",
        },
        Attr {
            name: "offset",
            ty: AttrType::Float { min: f64::MIN, max: f64::MAX, open: false },
            default: Default::Float(0.0),
            doc: "Then plus this.",
        },
    ],
};

impl OpDef for Rescaling {
    fn sig(&self) -> &'static Sig {
        &RESCALING
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = b.to_f32(call.input(0));
        let (scale, offset) = (b.constant(call.float("scale")), b.constant(call.float("offset")));
        let scaled = b.mul(x, scale);
        Ok(b.add(scaled, offset).into())
    }
}
