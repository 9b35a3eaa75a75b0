//! GRU: a state that a gate moves towards what is new.

use super::super::{Built, OpDef, penalty};
use super::*;
use crate::ops::Sig;

pub struct Gru;

static SIG: Sig = Sig {
    name: "GRU",
    aliases: &["nn.GRU", "Gru"],
    doc: "Gated recurrent unit (Cho et al., 2014) over `f32[B, T, n]`: z and r are gates,\n\
          h = z * h + (1 - z) * tanh(new), where new = x @ W + bias + r * (h @ U + bias_hh), as CuDNN and PyTorch\n\
          have it, or with `reset_after=false` x @ W + bias + (r * h) @ U. h starts as 0, or as what comes\n\
          in behind x: `(x, h) |> GRU(64)`. The result is the last h, `f32[B, units]`, or all of them; with\n\
          `return_state` also the last h. `weight_ih: f32[n, 3 * units]`, `weight_hh: f32[units, 3 * units]`,\n\
          `bias: f32[3 * units]`, and with `reset_after` `bias_hh` of the same shape; gates in the order z r new.",
    example: "Reshape(-1, 1) |> GRU(2)",
    inputs: &["x", "h?"],
    attrs: &[
        UNITS,
        ACTIVATION,
        RECURRENT_ACTIVATION,
        BIAS,
        INIT,
        RECURRENT_INIT,
        BIAS_INIT,
        Attr {
            name: "reset_after",
            ty: AttrType::Bool,
            default: Default::Bool(true),
            doc: "Whether the reset gate comes behind the product with the state.",
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

impl OpDef for Gru {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let mut layer = Recurrent::open(lib, b, call, 3, |init| init)?;
        let after = call.flag("reset_after");
        let mut constants = Vec::new();
        if after && call.flag("bias") {
            let units = &layer.units;
            let init = call.init("bias_init").resolve(units, units);
            let bias = call.param(b, "bias_hh", vec![units.clone() * Dim::from(3)].into(), init)?;
            layer.penalties.extend(penalty::of(b, call, "bias_", bias));
            constants.push(bias);
        }
        layer.run(b, 1, &constants, |cell, b, carries, h| {
            let (given, two) = (cell.given, cell.units.clone() * Dim::from(2));
            let (z, new) = if after {
                let mut of_state = b.contract("bi,ij->bj", h, cell.weight);
                if let Some(&bias) = cell.constants.first() {
                    of_state = b.add(of_state, bias);
                }
                let all = b.add(of_state, given);
                let (z, r) = (cell.gate(b, all, 0)?, cell.gate(b, all, 1)?);
                let of_state = cell.part(b, of_state, 2);
                (z, b.mul(r, of_state))
            } else {
                let weight = b.slice_axis(cell.weight, 1, Dim::zero(), two.clone());
                let of_state = b.contract("bi,ij->bj", h, weight);
                let of_input = b.slice_axis(given, 1, Dim::zero(), two.clone());
                let all = b.add(of_state, of_input);
                let (z, r) = (cell.gate(b, all, 0)?, cell.gate(b, all, 1)?);
                let reset = b.mul(r, h);
                let weight = b.slice_axis(cell.weight, 1, two, cell.units.clone());
                (z, b.contract("bi,ij->bj", reset, weight))
            };
            let of_input = cell.part(b, given, 2);
            let new = b.add(of_input, new);
            let new = cell.activate(b, "activation", new)?;
            let apart = b.sub(carries[0], new);
            let kept = b.mul(z, apart);
            Ok(vec![b.add(new, kept)])
        })
    }
}
