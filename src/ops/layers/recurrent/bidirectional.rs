//! A recurrent layer that reads a sequence from both ends.

use super::super::{Built, OpDef, layer};
use super::*;
use crate::ops::{AttrValue, Inner, Sig};

pub struct Bidirectional;

static SIG: Sig = Sig {
    name: "Bidirectional",
    aliases: &["BiLSTM", "BidirectionalLSTM"],
    doc: "Two recurrent layers over `f32[B, T, n]` (Schuster and Paliwal, 1997): one from the first step on, one from the\n\
          last, with weights of their own: `as bi` makes `bi.forward.weight_ih` and `bi.backward.weight_ih`. The result has\n\
          both side by side, `f32[B, 2 * units]`, or merged otherwise; of all steps with `return_sequences`, each at its\n\
          place and 0 where a mask leaves it out. With `return_state` the last states follow, those of the first layer\n\
          first; states to start from come in behind x in the same order.",
    example: "Reshape(-1, 1) |> Bidirectional(LSTM(2))",
    inputs: &["x", "h?", "c?", "h_back?", "c_back?"],
    attrs: &[
        Attr {
            name: "layer",
            ty: AttrType::Layer(RECURRENT),
            default: Default::Required,
            doc: "What reads the steps, with its settings: `LSTM(64)`.",
        },
        Attr {
            name: "merge",
            ty: AttrType::Choice(&["concat", "sum", "mul", "average"]),
            default: Default::Word("concat"),
            doc: "What becomes of the two results.",
        },
    ],
};

impl OpDef for Bidirectional {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let inner = call.inner("layer");
        if *inner.attr("go_backwards") == AttrValue::Bool(true) {
            let message = "reads both ways already";
            let d = call
                .error("call::choice", message, "its `layer` goes backwards")
                .help("take `go_backwards` out");
            return Err(d);
        }
        let states = call.inputs.len() - 1;
        if states % 2 == 1 {
            let message = format!("starts two layers, but {states} states come in");
            return Err(call.shape_error(&message, "give the states of both: `(x, h, c, h_back, c_back)`"));
        }
        let [first, second] = [false, true].map(|backwards| one_way(call, inner, backwards));
        let def = layer(inner.name).expect("attrs: an inner layer is in the registry");
        let (ahead, back) = (def.build(lib, b, &first)?, def.build(lib, b, &second)?);
        let sequences = *inner.attr("return_sequences") == AttrValue::Bool(true);
        let mut sides = [ahead.outputs[0], back.outputs[0]];
        if sequences {
            sides[1] = turned(b, sides[1]);
            sides = sides.map(|y| kept(b, call, y));
        }
        let y = merged(b, call.word("merge"), sides);
        let states = [&ahead.outputs[1..], &back.outputs[1..]].concat();
        Ok(Built {
            outputs: [vec![y], states].concat(),
            penalties: [ahead.penalties, back.penalties].concat(),
            mask: if sequences { Masking::Kept } else { Masking::Dropped },
        })
    }
}

/// The use of the inner layer in one direction.
fn one_way(call: &Call, inner: &Inner, backwards: bool) -> Call {
    let mut inner = inner.clone();
    inner.set("go_backwards", AttrValue::Bool(backwards));
    let mut made = inner.call(call, if backwards { "backward" } else { "forward" });
    let half = (call.inputs.len() - 1) / 2;
    let from = if backwards { 1 + half } else { 1 };
    made.inputs = [&call.inputs[..1], &call.inputs[from..from + half]].concat();
    made.masks = vec![call.mask(0)];
    made
}

/// All steps, 0 where a mask leaves one out: what the two layers carried there are states of different steps.
fn kept(b: &mut Builder, call: &Call, y: Value) -> Value {
    let Some(mask) = call.mask(0) else { return y };
    let shape = b.shape(y).clone();
    let counts = b.broadcast(mask, shape, &[0, 1]);
    b.mul(y, counts)
}

fn merged(b: &mut Builder, how: &str, [ahead, back]: [Value; 2]) -> Value {
    match how {
        "sum" => b.add(ahead, back),
        "mul" => b.mul(ahead, back),
        "average" => {
            let (both, half) = (b.add(ahead, back), b.constant(0.5));
            b.mul(both, half)
        }
        _ => {
            let axis = b.shape(ahead).rank() - 1;
            b.concat(&[ahead, back], axis)
        }
    }
}
