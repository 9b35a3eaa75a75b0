//! LSTM: a state with a memory that gates open and close.

use super::super::{Built, OpDef, penalty};
use super::*;
use crate::ops::Sig;

pub struct Lstm;

static SIG: Sig = Sig {
    name: "LSTM",
    aliases: &["nn.LSTM", "Lstm"],
    doc: "Long short-term memory (Hochreiter and Schmidhuber, 1997; Gers et al., 2000) over `f32[B, T, n]`:\n\
          [i, f, g, o] = x @ weight_ih + h @ weight_hh + bias; c = sigmoid(f) * c + sigmoid(i) * tanh(g);\n\
          h = sigmoid(o) * tanh(c). Both start as 0, or as what comes in behind x: `(x, h, c) |> LSTM(64)`. The result is the\n\
          last h, `f32[B, units]`, or all of them; with `return_state` also the last h and c.\n\
          `weight_ih: f32[n, 4 * units]`, `weight_hh: f32[units, 4 * units]`, `bias: f32[4 * units]`, gates in the order\n\
          i f g o. Dropout draws once for a row and step of training: all gates see the same (Gal and Ghahramani, 2016), where\n\
          Keras with `recurrent_dropout` draws for each gate. PyTorch has two biases, of which only the sum acts.",
    example: "Reshape(-1, 1) |> LSTM(2)",
    inputs: &["x", "h?", "c?"],
    attrs: &[
        UNITS,
        ACTIVATION,
        RECURRENT_ACTIVATION,
        BIAS,
        INIT,
        RECURRENT_INIT,
        BIAS_INIT,
        Attr {
            name: "unit_forget_bias",
            ty: AttrType::Bool,
            default: Default::Bool(true),
            doc: "Whether the bias of the forget gate starts as 1 where the others start as one number \
                  (Jozefowicz et al., 2015).",
        },
        DROPOUT,
        RECURRENT_DROPOUT,
        RETURN_SEQUENCES,
        RETURN_STATE,
        GO_BACKWARDS,
        penalty::L1,
        penalty::L2,
        penalty::BIAS_L1,
        penalty::BIAS_L2,
    ],
};

impl OpDef for Lstm {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let layer = Recurrent::open(lib, b, call, 4, |init| match init {
            Init::Constant(x) if call.flag("unit_forget_bias") => Init::Parts(vec![x, 1.0, x, x]),
            other => other,
        })?;
        layer.run(b, 2, &[], |cell, b, carries, h| {
            let z = b.contract("bi,ij->bj", h, cell.weight);
            let z = b.add(z, cell.given);
            let i = cell.gate(b, z, 0)?;
            let f = cell.gate(b, z, 1)?;
            let g = cell.part(b, z, 2);
            let g = cell.activate(b, "activation", g)?;
            let o = cell.gate(b, z, 3)?;
            let (kept, new) = (b.mul(f, carries[1]), b.mul(i, g));
            let c = b.add(kept, new);
            let shown = cell.activate(b, "activation", c)?;
            Ok(vec![b.mul(o, shown), c])
        })
    }
}
