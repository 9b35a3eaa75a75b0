//! Writes loops out that keep nothing for their way back.
//!
//! For devices without loops: attention by tiles becomes one piece of graph for each tile, with the numbers that its rows draw.
//! Loops that carry much over many steps stay, and are refused where they cannot run. Exact but for the sign of a zero.

use super::rewrite::{Rebuild, rewrite};
use crate::base::{Dim, TensorType};
use crate::graph::{Graph, Keep, Prim, ScanBody, Value};

pub fn run(graph: &mut Graph) -> bool {
    rewrite(graph, rule)
}

fn rule(r: &mut Rebuild, prim: &Prim, _ty: &TensorType) -> Option<Value> {
    let Prim::Scan { body, inputs } = prim else { return None };
    let length = usize::try_from(body.length.as_const()?).ok()?;
    (body.keep == Keep::Nothing).then(|| written_out(r, body, inputs, length))
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
    use crate::graph::examples::{drawn, loss_of};
    use crate::graph::interp::run as interpret;
    use crate::graph::{Builder, OutputKind, arbitrary, verify};

    #[test]
    fn what_is_written_out_draws_and_computes_the_same() {
        for reverse in [false, true] {
            let shapes = [vec![3, 2, 3], vec![2, 4], vec![3, 4]];
            let (graph, leaves) = loss_of(&shapes, |b, x| drawn(b, 3, [false, reverse], x));
            let loss = graph.outputs[1].value;
            let mut b = Builder::resume(graph);
            for (i, grad) in gradient(&mut b, loss, &leaves).into_iter().enumerate() {
                b.output(format!("d{i}"), grad, OutputKind::Value);
            }
            let looped = b.finish();
            let mut out = looped.clone();
            assert!(run(&mut out));
            verify(&out).unwrap();
            assert!(out.nodes.iter().all(|(_, node)| !matches!(node.prim, Prim::Scan { .. })));
            let inputs = arbitrary::inputs(&looped, 5);
            let (found, wanted) = (interpret(&out, &inputs), interpret(&looped, &inputs));
            arbitrary::agree(&["y", "loss", "d0", "d1", "d2"], &found, &wanted, 1e-12).unwrap();
        }
    }
}
