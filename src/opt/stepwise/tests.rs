//! Steps are compared with the whole graph, both computed in `f64` by definition.

use super::{PARENT, POSITION, Parents, is_cache, stepwise};
use crate::base::{DType, Dim, Shape, Sources, Span, TensorType};
use crate::diag::Diagnostic;
use crate::graph::interp::{Inputs, Tensor, run};
use crate::graph::{Builder, Graph, Init, Keep, LeafKind, OutputKind, Prim, ScanInputs, Value, verify};
use crate::ops::{Attention, Framework, Library, attend};
use std::collections::BTreeMap;

const STEPS: usize = 6;
const ROWS: usize = 3;
const IDS: usize = 5;

/// Numbers that differ, between -1 and 1.
fn numbers(count: usize, salt: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 7919 + salt * 104_729) % 1013) as f64 / 506.5 - 1.0).collect()
}

/// A model of tokens: embedded rows of `width`, then what `build` makes of `f32[B, T, width]`, then logits.
fn model(width: usize, build: impl FnOnce(&mut Builder, Value) -> Value) -> Graph {
    let mut b = Builder::new("m");
    let shape = Shape::from(vec![Dim::sym("B"), Dim::from(STEPS)]);
    let tokens = b.batch("tokens", TensorType::new(DType::I32, shape.clone()));
    let table = b.param("wte", [IDS, width], Init::Constant(0.0));
    let x = b.gather(table, tokens);
    let places = b.iota(shape, 1);
    let table = b.param("wpe", [STEPS, width], Init::Constant(0.0));
    let placed = b.gather(table, places);
    let x = b.add(x, placed);
    let y = build(&mut b, x);
    let (features, logits) = (b.shape(y).last().cloned().unwrap(), b.shape(y).rank() - 1);
    let out = b.param("out", Shape::from(vec![features, Dim::from(IDS)]), Init::Constant(0.0));
    assert_eq!(logits, 2);
    let y = b.contract("..i,ij->..j", y, out);
    b.output("logits", y, OutputKind::Value);
    b.finish()
}

fn causal(b: &mut Builder, x: Value, how: &Attention) -> Value {
    let lib = Library::std(Framework::Keras, &mut Sources::new());
    let wrong = |message: &str, _: &str| Diagnostic::error("shape::layer", message, Span::default(), "");
    let n = b.shape(x).last().cloned().unwrap();
    let weight = |b: &mut Builder, name: &str| {
        let w = b.param(name, Shape::from(vec![n.clone(), n.clone()]), Init::Constant(0.0));
        b.contract("..i,ij->..j", x, w)
    };
    let tensors = ["q", "k", "v"].map(|name| weight(b, name));
    let y = attend(&lib, b, tensors, how, &wrong).expect("test: shapes fit");
    b.add(x, y)
}

fn window(b: &mut Builder, x: Value, [lo, hi]: [usize; 2]) -> Value {
    let padded = b.pad_axis(x, 1, [Dim::from(lo), Dim::from(hi)], 0, 0.0);
    let seen = b.window(padded, 1, 3, 1, 2);
    let kernel = b.param("kernel", [3, 4, 4], Init::Constant(0.0));
    let y = b.contract("btji,jio->bto", seen, kernel);
    b.tanh(y)
}

fn recurrent(b: &mut Builder, x: Value, reverse: bool) -> Value {
    let rows = b.permute(x, &[1, 0, 2]);
    let zero = b.constant(0.0);
    let first = b.broadcast(zero, Shape::from(vec![Dim::sym("B"), Dim::from(4)]), &[]);
    let weight = b.param("hidden", [4, 4], Init::Constant(0.0));
    let scan = ScanInputs {
        length: Dim::from(STEPS),
        keep: Keep::Stacks,
        reverse,
        carries: &[first],
        slices: &[rows],
        constants: &[weight],
    };
    let made: Result<[Vec<Value>; 2], ()> = b.scan(&scan, |b, step| {
        let kept = b.contract("bi,ij->bj", step.carries[0], step.constants[0]);
        let sum = b.add(kept, step.slices[0]);
        let next = b.tanh(sum);
        Ok([vec![next], vec![next]])
    });
    let [_, states] = made.unwrap();
    b.permute(states[0], &[1, 0, 2])
}

fn steps_of(graph: &Graph, parents: Parents) -> Graph {
    let step = stepwise(graph, graph.leaf("tokens").unwrap(), parents).expect("test: it looks back only");
    verify(&step).expect("test: a step is sound");
    step
}

/// Weights by name, whatever graph they are of.
fn weights(graph: &Graph) -> BTreeMap<String, Tensor> {
    let held = graph.leaves.iter().filter(|(_, leaf)| matches!(leaf.kind, LeafKind::Param(_)));
    let number = |name: &str| name.bytes().map(usize::from).sum::<usize>();
    held.map(|(_, leaf)| {
        let shape = leaf.ty.shape.as_const().unwrap();
        let data = numbers(shape.iter().product(), number(&leaf.name));
        (leaf.name.to_string(), Tensor::new(shape, data))
    })
    .collect()
}

fn token(row: usize, place: usize) -> f64 {
    ((row * 3 + place * place + place / 2) % IDS) as f64
}

/// The logits of each place by steps; states hold rubbish at first. `parent` says whose states a row goes on from.
fn by_steps(step: &Graph, parent: &dyn Fn(usize) -> usize) -> Vec<Vec<f64>> {
    let mut leaves = weights(step);
    for (_, leaf) in step.leaves.iter().filter(|(_, leaf)| is_cache(&leaf.name)) {
        let shape: Vec<usize> =
            leaf.ty.shape.iter().map(|d| d.as_const().map_or(ROWS, |n| n as usize)).collect();
        let data = numbers(shape.iter().product(), 99);
        leaves.insert(leaf.name.to_string(), Tensor::new(shape, data));
    }
    let mut all = Vec::new();
    for place in 0..STEPS {
        let tokens = (0..ROWS).map(|row| token(row, place)).collect::<Vec<_>>();
        leaves.insert("tokens".into(), Tensor::new([ROWS, 1], tokens));
        leaves.insert(POSITION.into(), Tensor::scalar(place as f64));
        let parents: Vec<f64> = (0..ROWS).map(|row| parent(row) as f64).collect();
        leaves.insert(PARENT.into(), Tensor::new([ROWS], parents));
        let made = run(step, &Inputs { leaves: leaves.clone(), ..Inputs::default() });
        for (output, value) in step.outputs.iter().zip(made) {
            match output.kind {
                OutputKind::Update(leaf) => drop(leaves.insert(step.leaves[leaf].name.to_string(), value)),
                OutputKind::Value => all.push(value.data),
                OutputKind::Loss | OutputKind::Metric => panic!("test: a step has no loss"),
            }
        }
    }
    all
}

fn agree(graph: &Graph) {
    let step = steps_of(graph, Parents::Own);
    let mut leaves = weights(graph);
    let tokens: Vec<f64> = (0..ROWS).flat_map(|row| (0..STEPS).map(move |t| token(row, t))).collect();
    leaves.insert("tokens".into(), Tensor::new([ROWS, STEPS], tokens));
    let whole = run(graph, &Inputs { leaves, ..Inputs::default() }).remove(0);
    for (place, found) in by_steps(&step, &|row| row).iter().enumerate() {
        for row in 0..ROWS {
            for id in 0..IDS {
                let (wanted, found) = (whole.at(&[row, place, id]), found[row * IDS + id]);
                assert!((wanted - found).abs() < 1e-12, "row {row}, place {place}: {wanted}, not {found}");
            }
        }
    }
}

fn attention() -> Graph {
    let how = Attention { heads: Dim::from(2), kv_heads: Dim::from(2), causal: true, ..Attention::default() };
    model(4, |b, x| {
        let y = causal(b, x, &how);
        // What is normalised over features stays along time.
        let mean = b.mean_keep(y, &[2]);
        b.sub(y, mean)
    })
}

#[test]
fn attention_reads_keys_and_values_that_were_kept() {
    let graph = attention();
    agree(&graph);
    let step = steps_of(&graph, Parents::Own);
    assert_eq!(step.leaves.iter().filter(|(_, leaf)| is_cache(&leaf.name)).count(), 2);
}

#[test]
fn shared_keys_and_masks_written_by_hand_are_understood() {
    let how = Attention { heads: Dim::from(4), kv_heads: Dim::from(2), causal: true, ..Attention::default() };
    agree(&model(8, |b, x| {
        let half = b.slice_axis(x, 2, Dim::zero(), Dim::from(4));
        let lib = Library::std(Framework::Keras, &mut Sources::new());
        let wrong = |message: &str, _: &str| Diagnostic::error("shape::layer", message, Span::default(), "");
        attend(&lib, b, [x, half, half], &how, &wrong).expect("test: shapes fit")
    }));
    // Scores plus (seen - 1) * 1e9, and shares without a shift.
    agree(&model(4, |b, x| {
        let scores = b.contract("btd,bsd->bts", x, x);
        let shape = b.shape(scores).clone();
        let (t, s) = (b.iota(shape.clone(), 1), b.iota(shape, 2));
        let hidden = b.gt(s, t);
        let far = b.constant(-1e9);
        let far = b.mul(hidden, far);
        let scores = b.add(scores, far);
        let exps = b.exp(scores);
        let sums = b.sum_keep(exps, &[2]);
        let shares = b.div(exps, sums);
        b.contract("bts,bsd->btd", shares, x)
    }));
}

#[test]
fn windows_see_the_rows_that_were_kept() {
    agree(&model(4, |b, x| window(b, x, [4, 0])));
    // Shifted by one step and back by two.
    agree(&model(4, |b, x| {
        let y = window(b, x, [5, 0]);
        b.slice_axis(y, 1, Dim::zero(), Dim::from(STEPS))
    }));
}

#[test]
fn loops_go_on_from_where_they_stood() {
    agree(&model(4, |b, x| {
        let y = recurrent(b, x, false);
        window(b, y, [4, 0])
    }));
}

#[test]
fn what_looks_ahead_is_refused() {
    let refused = |graph: Graph| stepwise(&graph, graph.leaf("tokens").unwrap(), Parents::Own).is_err();
    assert!(refused(model(4, |b, x| causal(b, x, &Attention::default()))), "attention to all");
    assert!(refused(model(4, |b, x| window(b, x, [2, 2]))), "a window around each step");
    assert!(refused(model(4, |b, x| recurrent(b, x, true))), "a loop from the end");
    assert!(
        refused(model(4, |b, x| {
            let mean = b.mean_keep(x, &[1]);
            b.sub(x, mean)
        })),
        "a mean over time"
    );
    assert!(refused(model(4, |b, x| b.flip(x, &[1]))), "time turned round");
    assert!(
        refused(model(4, |b, x| {
            let scores = b.contract("btd,bsd->bts", x, x);
            let shape = b.shape(scores).clone();
            let (t, s) = (b.iota(shape.clone(), 1), b.iota(shape, 2));
            let one = b.int(1);
            let t = b.add(t, one);
            let seen = b.ge(t, s);
            let seen = b.mul(scores, seen);
            b.contract("bts,bsd->btd", seen, x)
        })),
        "a mask that is one step off"
    );
}

#[test]
fn rows_go_on_from_others() {
    let graph = attention();
    let step = steps_of(&graph, Parents::Any);
    // All rows follow the first: from the second place on they differ by their own tokens alone.
    let found = by_steps(&step, &|_| 0);
    let mut leaves = weights(&graph);
    let text = |row: usize| (0..STEPS).map(move |t| token(if t == STEPS - 1 { row } else { 0 }, t));
    leaves.insert("tokens".into(), Tensor::new([ROWS, STEPS], (0..ROWS).flat_map(text).collect::<Vec<_>>()));
    let whole = run(&graph, &Inputs { leaves, ..Inputs::default() }).remove(0);
    for row in 0..ROWS {
        for id in 0..IDS {
            let wanted = whole.at(&[row, STEPS - 1, id]);
            assert!((wanted - found[STEPS - 1][row * IDS + id]).abs() < 1e-12);
        }
    }
}

/// Products and sums of all contractions.
fn flops(graph: &Graph) -> usize {
    let size = |v: Value| -> usize {
        graph.ty(v).shape.iter().map(|d| d.as_const().map_or(ROWS, |n| n as usize)).product()
    };
    let each = graph.nodes.iter().map(|(v, node)| match &node.prim {
        Prim::Contract { spec, inputs: [lhs, _] } => {
            let shape = &graph.ty(*lhs).shape;
            let summed = spec.lhs.iter().zip(shape.iter()).filter(|(l, _)| !spec.out.contains(l));
            2 * size(v) * summed.map(|(_, d)| d.as_const().unwrap() as usize).product::<usize>()
        }
        _other => 0,
    });
    each.sum()
}

#[test]
fn a_step_costs_one_place_of_the_whole() {
    for graph in [attention(), model(4, |b, x| window(b, x, [4, 0]))] {
        assert_eq!(flops(&steps_of(&graph, Parents::Own)) * STEPS, flops(&graph));
    }
}
