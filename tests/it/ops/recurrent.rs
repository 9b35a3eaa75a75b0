//! Recurrent layers against Keras and PyTorch themselves (tests/goldens/recurrent.py).

use super::bench::{Bench, inputs};
use crate::support::root;
use mlc::ad;
use mlc::graph::interp::{self, Tensor};
use mlc::graph::{Builder, Graph, Init, LeafKind, OutputKind, Value};
use mlc::ops::{Framework, Mode};
use serde_json::Value as Json;

fn floats(json: &Json) -> Vec<f64> {
    let numbers = json.as_array().expect("a list of numbers").iter();
    numbers.map(|x| x.as_f64().expect("a number")).collect()
}

/// The outputs `0`, `1`, …, then the gradients of the sum of their sines, of the k-th k times, of all leaves by name.
fn with_gradients(graph: Graph) -> Graph {
    let results: Vec<Value> =
        graph.outputs.iter().filter(|o| o.kind == OutputKind::Value).map(|o| o.value).collect();
    let leaves: Vec<_> = graph.leaves.iter().map(|(id, l)| (id, l.name.clone())).collect();
    let mut b = Builder::resume(graph);
    let mut loss = b.constant(0.0);
    for (k, &y) in results.iter().enumerate() {
        let (sines, times) = (b.sin(y), b.constant((k + 1) as f64));
        let part = b.sum_all(sines);
        let part = b.mul(part, times);
        loss = b.add(loss, part);
    }
    let values: Vec<Value> = leaves.iter().map(|(id, _)| b.read(*id)).collect();
    let gradients = ad::gradient(&mut b, loss, &values);
    for ((_, name), gradient) in leaves.into_iter().zip(gradients) {
        b.output(name, gradient, OutputKind::Value);
    }
    b.finish()
}

#[test]
fn values_and_gradients_are_those_of_keras_and_torch() {
    let text =
        std::fs::read_to_string(root().join("tests/goldens/recurrent.json")).expect("the goldens are there");
    let goldens: Json = serde_json::from_str(&text).expect("the goldens are JSON");
    let cases = goldens["layers"].as_array().expect("a list of cases");
    assert_eq!(cases.len(), 74);
    for case in cases {
        let (framework, stage) = (case["framework"].as_str().unwrap(), case["stage"].as_str().unwrap());
        let shape: Vec<usize> = floats(&case["shape"]).into_iter().map(|n| n as usize).collect();
        // Keras computes in f32.
        let tolerance = if framework == "keras" { 2e-5 } else { 1e-9 };
        let mut bench = Bench::new(shape.as_slice());
        bench.framework = Framework::parse(framework).expect("keras or torch");
        let input = case["input"].as_str().unwrap_or("x");
        let graph = with_gradients(bench.build(&format!("{input} |> {stage}")).graph());
        let mut given = inputs(&graph, &shape, 0.0, 1.0);
        given.leaves.insert("x".to_string(), Tensor::new(shape, floats(&case["x"])));
        let mut set = |name: String, values: Vec<f64>| {
            let known = given.leaves.get_mut(&name).unwrap_or_else(|| panic!("{stage} has {name}"));
            assert_eq!(known.data.len(), values.len(), "{framework} {stage} {name}");
            known.data = values;
        };
        if !case["table"].is_null() {
            set("e.weight".to_string(), floats(&case["table"]));
        }
        let weights = case["weights"].as_object().expect("weights by name");
        weights.iter().for_each(|(name, values)| set(format!("it.{name}"), floats(values)));
        for (output, found) in graph.outputs.iter().zip(interp::run(&graph, &given)) {
            let wanted = match (&*output.name, output.name.strip_prefix("it.")) {
                ("0", _) => &case["y"],
                (state @ ("1" | "2" | "3" | "4"), _) => {
                    &case["states"][state.parse::<usize>().expect("a number") - 1]
                }
                ("x", _) => &case["dx"],
                (_, Some(weight)) => &case["dw"][weight],
                (_, None) => &Json::Null,
            };
            if wanted.is_null() {
                continue;
            }
            let wanted = floats(wanted);
            assert_eq!(found.data.len(), wanted.len(), "{framework} {stage} {}", output.name);
            for (f, w) in found.data.iter().zip(&wanted) {
                let near = (f - w).abs() <= tolerance * w.abs().max(1.0);
                assert!(near, "{framework} {stage} {}: {f}, but the reference has {w}", output.name);
            }
        }
    }
}

#[test]
fn weights_start_as_the_framework_says() {
    let starts = |framework, stage: &str| {
        let mut bench = Bench::new([4, 5, 6]);
        bench.framework = framework;
        let graph = bench.build(&format!("x |> {stage} as it")).graph();
        let weights = graph.leaves.iter().filter(|(_, l)| l.name.starts_with("it."));
        weights.map(|(_, l)| (l.name.to_string(), l.kind.clone())).collect::<Vec<_>>()
    };
    let of = |framework, stage: &str, weight: &str| {
        let all = starts(framework, stage);
        let (_, kind) = all.into_iter().find(|(name, _)| name == &format!("it.{weight}")).expect("a weight");
        let LeafKind::Param(init) = kind else { panic!("{weight} is trained") };
        init
    };
    use Framework::{Keras, Torch};
    assert_eq!(of(Keras, "LSTM(3)", "bias"), Init::Parts(vec![0.0, 1.0, 0.0, 0.0]));
    assert_eq!(of(Keras, "LSTM(3, unit_forget_bias=false)", "bias"), Init::Constant(0.0));
    assert_eq!(of(Keras, "GRU(3)", "bias_hh"), Init::Constant(0.0));
    assert_eq!(of(Keras, "GRU(3)", "weight_hh"), Init::Orthogonal { gain: 1.0 });
    // The bound is sqrt(num / den).
    for weight in ["weight_ih", "weight_hh", "bias"] {
        let text = format!("{:?}", of(Torch, "LSTM(3)", weight));
        let same = format!("{:?}", of(Torch, "GRU(3)", weight));
        assert_eq!(text, same);
        assert!(text.starts_with("Uniform"), "{text}");
    }
    assert_eq!(
        mlc::ops::init::draw(&Init::Parts(vec![0.0, 1.0, 2.0]), "b", 1, &[6]),
        [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]
    );
}

/// Dropout of the state draws once for a row: what is hidden at one step is hidden at all.
#[test]
fn dropout_is_the_same_at_all_steps() {
    let shape = [2, 4, 3];
    let layer = "SimpleRNN(3, activation=none, dropout=0.5, return_sequences=true, bias=false) as it";
    for (mode, drops) in [(Mode::Train, true), (Mode::Eval, false)] {
        let mut bench = Bench::new(shape);
        bench.mode = mode;
        let graph = bench.build(&format!("x |> {layer}")).graph();
        let mut given = inputs(&graph, &shape, 1.0, 2.0);
        let identity = |n: usize| (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect::<Vec<_>>();
        given.leaves.insert("it.weight_ih".into(), Tensor::new([3, 3], identity(3)));
        given.leaves.insert("it.weight_hh".into(), Tensor::new([3, 3], vec![0.0; 9]));
        let y = &interp::run(&graph, &given)[0];
        let mut dropped = 0;
        for row in 0..2 {
            for feature in 0..3 {
                let zeros = (0..4).filter(|&t| y.at(&[row, t, feature]) == 0.0).count();
                assert!(zeros == 0 || zeros == 4, "{zeros} of 4 steps are dropped");
                dropped += zeros;
            }
        }
        assert_eq!(dropped > 0 && dropped < 24, drops, "{dropped} are dropped");
    }
}

/// Costs of rows, and the gradients of the sum of their sines, from PyTorch (tests/goldens/ctc.py).
#[test]
fn alignments_cost_what_they_do_in_torch() {
    let text = std::fs::read_to_string(root().join("tests/goldens/ctc.json")).expect("the goldens are there");
    let goldens: Json = serde_json::from_str(&text).expect("the goldens are JSON");
    for case in goldens["cases"].as_array().expect("a list of cases") {
        let shape: Vec<usize> = floats(&case["shape"]).into_iter().map(|n| n as usize).collect();
        let mask = if case["masked"] == true { ", mask=x[:, :, 0] > -5.5" } else { "" };
        let bench = Bench::new(shape.as_slice());
        let graph = with_gradients(bench.build(&format!("ctc(x, i{mask})")).graph());
        let mut given = inputs(&graph, &shape, 0.0, 1.0);
        given.leaves.insert("x".into(), Tensor::new(shape.clone(), floats(&case["x"])));
        given.leaves.insert("i".into(), Tensor::new(&shape[..2], floats(&case["labels"])));
        for (output, found) in graph.outputs.iter().zip(interp::run(&graph, &given)) {
            let wanted = match &*output.name {
                "0" => floats(&case["costs"]),
                "x" => floats(&case["dx"]),
                _ => continue,
            };
            assert_eq!(found.data.len(), wanted.len());
            for (f, w) in found.data.iter().zip(&wanted) {
                assert!(
                    (f - w).abs() <= 1e-9 * w.abs().max(1.0),
                    "{} of {shape:?}: {f}, not {w}",
                    output.name
                );
            }
        }
    }
}
