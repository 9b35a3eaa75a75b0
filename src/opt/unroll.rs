//! Writes loops out that keep nothing for their way back, and short ones.
//!
//! For devices without loops: attention by tiles becomes one piece of graph for each tile, with the numbers that its rows draw,
//! and a recurrent layer over few steps becomes a deep net. Longer loops stay, and are refused where they cannot run. Exact but
//! for the sign of a zero.

use super::rewrite::{Rebuild, rewrite};
use crate::base::{Dim, TensorType};
use crate::graph::{Graph, Keep, Prim, ScanBody, Value};

/// The most steps of a loop that is written out although it keeps something. Each step costs shaders of its own, which a device
/// compiles before the first batch.
pub const SHORT: usize = 32;

pub fn run(graph: &mut Graph) -> bool {
    let changed = rewrite(graph, rule);
    // What a body had in it stands in the graph now, loops too.
    while changed && rewrite(graph, rule) {}
    changed
}

fn rule(r: &mut Rebuild, prim: &Prim, _ty: &TensorType) -> Option<Value> {
    let Prim::Scan { body, inputs } = prim else { return None };
    let length = usize::try_from(body.length.as_const()?).ok()?;
    (body.keep == Keep::Nothing || length <= SHORT).then(|| written_out(r, body, inputs, length))
}

/// All results in one vector, as a scan gives them.
fn written_out(r: &mut Rebuild, body: &ScanBody, inputs: &[Value], length: usize) -> Value {
    let mut carries = inputs[..body.carries].to_vec();
    let mut stacks: Vec<Vec<Value>> = vec![Vec::new(); body.graph.outputs.len() - body.carries];
    for step in 0..length {
        let row = body.row(step, length);
        let leaves: Vec<Value> = (0..inputs.len())
            .map(|i| match carries.get(i) {
                Some(carry) => *carry,
                None if body.is_slice(i) => nth(r, inputs[i], row),
                None => inputs[i],
            })
            .collect();
        let mut outputs = r.b.inline(body, &leaves, row);
        for (stack, output) in stacks.iter_mut().zip(outputs.split_off(body.carries)) {
            stack.push(output);
        }
        carries = outputs;
    }
    if body.reverse {
        stacks.iter_mut().for_each(|stack| stack.reverse());
    }
    let all: Vec<Value> = carries.into_iter().chain(stacks.into_iter().flatten()).collect();
    let flat: Vec<Value> = all
        .into_iter()
        .map(|v| {
            let size = r.b.shape(v).size();
            r.b.reshape(v, vec![size])
        })
        .collect();
    r.b.concat(&flat, 0)
}

/// Row `i` along axis 0.
fn nth(r: &mut Rebuild, value: Value, i: usize) -> Value {
    let row = r.b.slice_axis(value, 0, Dim::from(i), Dim::one());
    let shape = r.b.shape(value).without(&[0]);
    r.b.reshape(row, shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ad::gradient;
    use crate::graph::examples::{Sizes, drawn, loss_of, lstm};
    use crate::graph::interp::run as interpret;
    use crate::graph::{Builder, OutputKind, arbitrary, verify};

    /// With the gradients of what `build` makes of leaves of these shapes: written out, the graph gives what it gave.
    fn check(shapes: &[Vec<usize>], build: impl Fn(&mut Builder, &[Value]) -> Value) {
        let (graph, leaves) = loss_of(shapes, build);
        let loss = graph.outputs[1].value;
        let mut b = Builder::resume(graph);
        for (i, grad) in gradient(&mut b, loss, &leaves).into_iter().enumerate() {
            b.output(format!("d{i}"), grad, OutputKind::Value);
        }
        let looped = b.finish();
        let mut out = looped.clone();
        assert!(run(&mut out));
        verify(&out).unwrap();
        assert!(!has_loops(&out));
        let inputs = arbitrary::inputs(&looped, 5);
        let (found, wanted) = (interpret(&out, &inputs), interpret(&looped, &inputs));
        let names: Vec<&str> = looped.outputs.iter().map(|output| &*output.name).collect();
        arbitrary::agree(&names, &found, &wanted, 1e-12).unwrap();
    }

    fn has_loops(graph: &Graph) -> bool {
        graph.nodes.iter().any(|(_, node)| matches!(node.prim, Prim::Scan { .. }))
    }

    #[test]
    fn what_is_written_out_draws_and_computes_the_same() {
        for reverse in [false, true] {
            let shapes = [vec![3, 2, 3], vec![2, 4], vec![3, 4]];
            check(&shapes, |b, x| drawn(b, 3, [false, reverse], x));
        }
    }

    #[test]
    fn a_short_recurrent_net_becomes_a_deep_one() {
        let sizes = Sizes { steps: 5, batch: 2, units: 3 };
        for reverse in [false, true] {
            check(&sizes.shapes(), |b, x| lstm(b, sizes, reverse, x));
        }
    }

    #[test]
    fn a_loop_of_many_steps_stays_if_it_keeps_what_they_made() {
        for (steps, stays) in [(SHORT, false), (SHORT + 1, true)] {
            let sizes = Sizes { steps, batch: 1, units: 1 };
            let (mut graph, _) = loss_of(&sizes.shapes(), |b, x| lstm(b, sizes, false, x));
            assert_eq!(run(&mut graph), !stays);
            assert_eq!(has_loops(&graph), stays);
        }
    }
}
