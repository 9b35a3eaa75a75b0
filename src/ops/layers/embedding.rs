//! Embedding: a row of a table for each id.

use super::{Built, Masking, OpDef};
use crate::base::DType;
use crate::diag::Diagnostic;
use crate::graph::Builder;
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig};

pub struct Embedding;

static SIG: Sig = Sig {
    name: "Embedding",
    aliases: &["nn.Embedding"],
    doc: "A row of a table for each id: `i32[..]` gives `f32[.., output_dim]`; `weight: f32[input_dim, output_dim]`.\n\
          Ids outside the table take its first or last row. With `mask_zero` the id 0 is padding: its steps count neither in\n\
          layers that know time, nor in losses and metrics.",
    example: "cast(i32) |> Embedding(3, 2)",
    inputs: &["x"],
    attrs: &[
        Attr {
            name: "input_dim",
            ty: AttrType::Size { min: 1 },
            default: Default::Required,
            doc: "How many ids there are.",
        },
        Attr {
            name: "output_dim",
            ty: AttrType::Size { min: 1 },
            default: Default::Required,
            doc: "How wide a row is.",
        },
        Attr {
            name: "init",
            ty: AttrType::Init,
            default: Default::Table("Embedding.init"),
            doc: "How the table starts.",
        },
        Attr {
            name: "mask_zero",
            ty: AttrType::Bool,
            default: Default::Bool(false),
            doc: "Whether the id 0 is padding.",
        },
    ],
};

impl OpDef for Embedding {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let ids = call.input(0);
        if b.dtype(ids) == DType::F32 {
            let message = format!("looks ids up, which are whole numbers, but its input is {}", b.ty(ids));
            let d = call.error("dtype::layer", &message, "numbers with a point come in");
            return Err(d.help("declare the input `i32[…]`, or write `cast(x, i32)`"));
        }
        let ids = b.to_i32(ids);
        let (rows, width) = (call.size("input_dim"), call.size("output_dim"));
        let init = call.init("init").resolve(&rows, &width);
        let table = call.param(b, "weight", vec![rows, width].into(), init)?;
        let y = b.gather(table, ids);
        let has_time = b.shape(ids).rank() == 2;
        let mask = match call.flag("mask_zero") && has_time {
            true => {
                let zero = b.int(0);
                Masking::Made(b.ne(ids, zero))
            }
            false => Masking::Dropped,
        };
        Ok(Built { mask, ..Built::from(y) })
    }
}
