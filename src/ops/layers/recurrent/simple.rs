//! SimpleRNN: the state is a layer of the input and itself.

use super::super::{Built, OpDef, penalty};
use super::*;
use crate::ops::Sig;

pub struct SimpleRnn;

static SIG: Sig = Sig {
    name: "SimpleRNN",
    aliases: &["nn.RNN", "RNN"],
    doc: "The plainest recurrent layer (Elman, 1990) over `f32[B, T, n]`:\n\
          h = activation(x @ weight_ih + h @ weight_hh + bias). h starts as 0, or as what comes\n\
          in behind x: `(x, h) |> SimpleRNN(64)`. The result is the last h, `f32[B, units]`, or all of them; with\n\
          `return_state` also the last h. `weight_ih: f32[n, units]`, `weight_hh: f32[units, units]`, `bias: f32[units]`.",
    example: "Reshape(-1, 1) |> SimpleRNN(2)",
    inputs: &["x", "h?"],
    attrs: &[
        UNITS,
        ACTIVATION,
        BIAS,
        INIT,
        RECURRENT_INIT,
        BIAS_INIT,
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

impl OpDef for SimpleRnn {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let layer = Recurrent::open(lib, b, call, 1, |init| init)?;
        layer.run(b, 1, &[], |cell, b, _, h| {
            let z = b.contract("bi,ij->bj", h, cell.weight);
            let z = b.add(z, cell.given);
            Ok(vec![cell.activate(b, "activation", z)?])
        })
    }
}
