//! A layer on every step of a sequence.

use super::{Built, Masking, OpDef, layer};
use crate::base::Shape;
use crate::diag::Diagnostic;
use crate::graph::Builder;
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig};

pub struct TimeDistributed;

static SIG: Sig = Sig {
    name: "TimeDistributed",
    aliases: &[],
    doc: "A layer on each step by itself: `f32[B, T, ...]` is `B * T` rows to it. What statistics or dropout see are\n\
          those rows. Its weights are named as if it stood alone: `TimeDistributed(Dense(8)) as td` makes `td.weight`.",
    example: "Reshape(-1, 1) |> TimeDistributed(Dense(4))",
    inputs: &["x"],
    attrs: &[Attr {
        name: "layer",
        ty: AttrType::Layer(&[]),
        default: Default::Required,
        doc: "What each step goes through, with its settings: `Dense(64)`.",
    }],
};

impl OpDef for TimeDistributed {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let (x, inner) = (call.input(0), call.inner("layer"));
        let shape = b.shape(x).clone();
        let [rows, steps, rest @ ..] = shape.dims() else {
            let message = format!("needs rows of steps, but its input is {}", b.ty(x));
            return Err(call.shape_error(&message, "give it `f32[B, T, ...]`"));
        };
        let apart = [&[rows.clone() * steps.clone()], rest].concat();
        let mut made = inner.call(call, "");
        made.inputs = vec![b.reshape(x, Shape::from(apart))];
        made.masks = vec![None];
        let def = layer(inner.name).expect("attrs: an inner layer is in the registry");
        let built = def.build(lib, b, &made)?;
        let [y] = built.outputs.as_slice() else {
            let message =
                format!("takes a layer with one result, but `{}` gives {}", inner.name, built.outputs.len());
            return Err(call.shape_error(&message, "leave `return_state` out"));
        };
        let each = b.shape(*y)[1..].to_vec();
        let y = b.reshape(*y, Shape::from([vec![rows.clone(), steps.clone()], each].concat()));
        let mask = call.mask(0).map_or(Masking::Dropped, Masking::Made);
        Ok(Built { outputs: vec![y], penalties: built.penalties, mask })
    }
}
