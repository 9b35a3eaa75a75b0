use super::*;
use crate::ad;
use crate::base::Sources;
use crate::graph::interp::{Inputs, Tensor, run};
use crate::graph::{Graph, OutputKind, verify};

const ROWS: usize = 2;
const STEPS: usize = 12;

/// What is hidden beside later steps.
#[derive(Clone, Copy)]
enum Masked {
    Not,
    Keys,
    Pairs,
    Rows,
}

/// Attention of `f32[2, 12, 8]` with half as many heads of keys, weighed and summed, with its gradients.
fn attention(masked: Masked, dropout: Option<f64>, tile: Option<usize>) -> Graph {
    let lib = Library::std(Framework::Keras, &mut Sources::new());
    let mut b = Builder::new("attention");
    let param = |b: &mut Builder, name: &str, n: usize| b.param(name, [ROWS, STEPS, n], Init::Constant(0.0));
    let tensors = [param(&mut b, "q", 8), param(&mut b, "k", 4), param(&mut b, "v", 6)];
    let mask = |b: &mut Builder, shape: &[usize]| b.batch("mask", crate::base::TensorType::f32(shape));
    let masks = match masked {
        Masked::Not => Vec::new(),
        Masked::Keys => vec![mask(&mut b, &[ROWS, STEPS])],
        Masked::Pairs => vec![mask(&mut b, &[STEPS, STEPS])],
        Masked::Rows => vec![mask(&mut b, &[ROWS, STEPS, STEPS])],
    };
    let how = Attention {
        heads: Dim::from(4),
        kv_heads: Dim::from(2),
        causal: true,
        masks,
        dropout: dropout.map(|rate| (rate, "site".to_string())),
        scale: None,
    };
    let wrong = |message: &str, _: &str| Diagnostic::error("shape::layer", message, Span::default(), "");
    let sizes = sizes(&b, tensors, &how, &wrong).unwrap();
    let y = match tile {
        None => whole(&lib, &mut b, tensors, &how, sizes, None, &wrong),
        Some(tile) => tiles::attend(&lib, &mut b, tensors, &how, sizes, Dim::from(tile), &wrong),
    };
    let y = y.unwrap();
    let upstream = b.batch("upstream", b.ty(y).clone());
    let weighed = b.mul(y, upstream);
    let loss = b.sum_all(weighed);
    b.output("y", y, OutputKind::Value);
    b.output("loss", loss, OutputKind::Value);
    for (name, grad) in ["dq", "dk", "dv"].iter().zip(ad::gradient(&mut b, loss, &tensors)) {
        b.output(*name, grad, OutputKind::Value);
    }
    let graph = b.finish();
    verify(&graph).unwrap();
    graph
}

fn inputs(graph: &Graph) -> Inputs {
    let mut inputs = crate::graph::arbitrary::inputs(graph, 3);
    if let Some(mask) = inputs.leaves.get_mut("mask") {
        mask.data.iter_mut().for_each(|x| *x = f64::from(u8::from(*x > -1.0)));
    }
    inputs
}

fn results(graph: &Graph) -> Vec<Tensor> {
    run(graph, &inputs(graph))
}

#[test]
fn tiles_give_what_all_scores_at_once_give() {
    for masked in [Masked::Not, Masked::Keys, Masked::Pairs, Masked::Rows] {
        let wanted = results(&attention(masked, None, None));
        for tile in [1, 3, 4, 12] {
            let found = results(&attention(masked, None, Some(tile)));
            crate::graph::arbitrary::agree(&["y", "loss", "dq", "dk", "dv"], &found, &wanted, 1e-12).unwrap();
        }
    }
}

/// The result is linear in values: so is the loss, if both directions drop the same shares.
#[test]
fn both_directions_drop_the_same() {
    let graph = attention(Masked::Not, Some(0.4), Some(4));
    let found = results(&graph);
    let v = &inputs(&graph).leaves["v"];
    let along: f64 = v.data.iter().zip(&found[4].data).map(|(v, dv)| v * dv).sum();
    assert!((along - found[1].data[0]).abs() < 1e-9, "{along}, not {}", found[1].data[0]);
    let without = results(&attention(Masked::Not, None, Some(4)));
    assert!((found[1].data[0] - without[1].data[0]).abs() > 1e-3, "something is dropped");
}
