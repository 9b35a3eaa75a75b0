//! Layers and initialisers against Keras and PyTorch themselves (tests/goldens/layers.py).

use super::bench::{Bench, inputs, run};
use crate::support::root;
use mlc::ad;
use mlc::graph::interp::{self, Tensor};
use mlc::graph::{Builder, Graph, Init, LeafKind, OutputKind, Value, parse, print};
use mlc::ops::{self, Framework, Mode};
use serde_json::Value as Json;
use std::collections::BTreeSet;

fn goldens() -> Json {
    let path = root().join("tests/goldens/layers.json");
    let text = std::fs::read_to_string(path).expect("the goldens are there");
    serde_json::from_str(&text).expect("the goldens are JSON")
}

pub fn floats(json: &Json) -> Vec<f64> {
    match json {
        Json::Array(items) => items.iter().flat_map(floats).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

/// The output `0`, then the gradients of the sum of its sines: of `x` and each weight, by name.
pub fn with_gradients(graph: Graph) -> Graph {
    let y = graph.outputs[0].value;
    let weights: Vec<_> = graph.leaves.iter().filter(|(_, l)| matches!(l.kind, LeafKind::Param(_))).collect();
    let weights: Vec<_> = weights.into_iter().map(|(id, l)| (id, l.name.clone())).collect();
    let mut b = Builder::resume(graph);
    let sines = b.sin(y);
    let loss = b.sum_all(sines);
    let leaves: Vec<Value> = weights.iter().map(|(id, _)| b.read(*id)).collect();
    let gradients = ad::gradient(&mut b, loss, &leaves);
    for ((_, name), gradient) in weights.into_iter().zip(gradients) {
        b.output(name, gradient, OutputKind::Value);
    }
    b.finish()
}

pub fn assert_near(what: &str, found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (f, w) in found.iter().zip(wanted) {
        assert!((f - w).abs() <= tolerance * w.abs().max(1.0), "{what}: {f}, but the reference has {w}");
    }
}

#[test]
fn values_and_gradients_are_those_of_keras_and_torch() {
    let goldens = goldens();
    let mut seen = BTreeSet::new();
    for case in goldens["layers"].as_array().expect("a list of cases") {
        let (framework, stage) = (case["framework"].as_str().unwrap(), case["stage"].as_str().unwrap());
        // Keras' norms compute in f32, whatever goes in.
        let tolerance = if framework == "keras" && stage.contains("Norm") { 2e-5 } else { 1e-9 };
        let mut bench = Bench::new([4, 6]);
        bench.framework = Framework::parse(framework).expect("keras or torch");
        let graph = with_gradients(bench.build(&format!("x |> {stage} as it")).graph());
        let mut given = inputs(&graph, &[4, 6], 0.0, 1.0);
        given.leaves.insert("x".to_string(), Tensor::new([4, 6], floats(&goldens["x"])));
        for (name, values) in case["weights"].as_object().expect("weights by name") {
            let values = floats(values);
            let name = format!("it.{name}");
            let known = given.leaves.get_mut(&name).unwrap_or_else(|| panic!("{stage} has {name}"));
            assert_eq!(known.data.len(), values.len(), "{framework} {stage} {name}");
            known.data = values;
        }
        for (output, found) in graph.outputs.iter().zip(interp::run(&graph, &given)) {
            let wanted = match &*output.name {
                "0" => &case["y"],
                "x" => &case["dx"],
                weight => &case["dw"][weight.strip_prefix("it.").expect("a weight of the layer")],
            };
            let what = format!("{framework} {stage} {}", output.name);
            assert_near(&what, &found.data, &floats(wanted), tolerance);
        }
        let layer = stage.split("|> ").last().unwrap();
        seen.insert(layer.split('(').next().unwrap().to_string());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["GroupNorm", "LayerNorm", "PReLU", "RMSNorm"]);
}

#[test]
fn weights_fit_the_axis_and_start_as_the_framework_says() {
    let starts = |framework, stage: &str| {
        let mut bench = Bench::new([4, 5, 6]);
        bench.framework = framework;
        let graph = bench.build(&format!("x |> {stage} as it")).graph();
        let weights = graph.leaves.iter().filter(|(_, l)| l.name.starts_with("it."));
        weights.map(|(_, l)| format!("{} {} {:?}", l.name, l.ty.shape, l.kind)).collect::<Vec<_>>()
    };
    let constant = |x: f64| format!("{:?}", LeafKind::Param(Init::Constant(x)));
    let (zero, one, quarter) = (constant(0.0), constant(1.0), constant(0.25));
    for (framework, stage, wanted) in [
        (Framework::Keras, "LayerNorm", vec![format!("it.weight [6] {one}"), format!("it.bias [6] {zero}")]),
        (Framework::Keras, "LayerNorm(axis=1, center=false)", vec![format!("it.weight [5] {one}")]),
        (Framework::Torch, "RMSNorm(axis=-2)", vec![format!("it.weight [5] {one}")]),
        (Framework::Keras, "PReLU", vec![format!("it.weight [5, 6] {zero}")]),
        (Framework::Keras, "PReLU(per=channel)", vec![format!("it.weight [6] {zero}")]),
        (Framework::Torch, "PReLU", vec![format!("it.weight [1] {quarter}")]),
    ] {
        assert_eq!(starts(framework, stage), wanted, "{stage}");
    }
}

/// Along an axis in the middle, each line of it is what the last axis would give.
#[test]
fn norms_take_any_axis_behind_the_batch() {
    for (layer, moment) in [("LayerNorm(axis=1, epsilon=0)", 1.0), ("RMSNorm(axis=1, epsilon=0)", 0.0)] {
        let mut bench = Bench::new([2, 7, 3]);
        let text = format!("(x |> {layer} as it)");
        bench.mode = Mode::Eval;
        let graph = bench.build(&text).graph();
        let mut given = inputs(&graph, &[2, 7, 3], -1.0, 3.0);
        for name in ["it.weight", "it.bias"] {
            let start = if name == "it.weight" { 1.0 } else { 0.0 };
            if let Some(weight) = given.leaves.get_mut(name) {
                weight.data.fill(start);
            }
        }
        let y = &interp::run(&graph, &given)[0].data;
        for (row, column) in [(0, 0), (0, 2), (1, 1)] {
            let line: Vec<f64> = (0..7).map(|i| y[row * 21 + i * 3 + column]).collect();
            let mean = line.iter().sum::<f64>() / 7.0;
            let square = line.iter().map(|v| v * v).sum::<f64>() / 7.0;
            assert!((square - 1.0).abs() < 1e-9, "{layer}: {square}");
            assert!(mean.abs() * moment < 1e-9, "{layer}: {mean}");
        }
    }
}

fn moments(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt(), values.iter().fold(0.0, |m, v| m.max((v - mean).abs())))
}

#[test]
fn noise_is_normal_and_acts_in_training_alone() {
    let shape = [200, 300];
    for (text, mean, std) in
        [("0 * x |> GaussianNoise(0.5)", 0.0, 0.5), ("0 * x + 2 |> GaussianDropout(0.2)", 2.0, 1.0)]
    {
        let mut bench = Bench::new(shape);
        let drawn = run(&bench.build(text).graph(), &shape, 0.0, 1.0).remove(0).data;
        let found = moments(&drawn);
        assert!(
            (found.0 - mean).abs() < 0.02 * std && (found.1 / std - 1.0).abs() < 0.01,
            "{text}: {found:?}"
        );
        // The shares of a normal distribution within one and two deviations, and its skew.
        for (deviations, share) in [(1.0, 0.6827), (2.0, 0.9545)] {
            let within = drawn.iter().filter(|v| (*v - mean).abs() < deviations * std).count();
            assert!((within as f64 / 60_000.0 - share).abs() < 0.01, "{text}: {within}");
        }
        let above = drawn.iter().filter(|v| **v > mean).count() as f64 / 60_000.0;
        assert!((above - 0.5).abs() < 0.01, "{text}: {above}");
        let neighbours: f64 =
            drawn.windows(2).map(|w| (w[0] - mean) * (w[1] - mean) / (std * std)).sum::<f64>() / 60_000.0;
        assert!(neighbours.abs() < 0.02, "{text}: {neighbours}");

        bench.mode = Mode::Eval;
        let stage = text.split("|> ").last().unwrap();
        let graph = bench.build(&format!("x |> {stage}")).graph();
        assert_eq!(graph.outputs[0].value.index(), 0, "evaluation hands x through");
    }
}

#[test]
fn two_noises_draw_apart() {
    let graph = Bench::new([5, 8]).build("(x |> GaussianNoise(0.5), x |> GaussianNoise(0.5))").graph();
    let out = run(&graph, &[5, 8], 1.0, 2.0);
    assert_ne!(out[0], out[1]);
}

/// The initialiser of a `Dense` from 300 to 400, and what it draws.
fn drawn(call: &str) -> (Init, Vec<f64>) {
    let graph = Bench::new([2, 300]).build(&format!("x |> Dense(400, init={call}) as fc")).graph();
    let leaf = graph.leaf("fc.weight").expect("a Dense has a weight");
    let LeafKind::Param(init) = graph.leaves[leaf].kind.clone() else { panic!("a weight is trained") };
    let values = ops::init::draw(&init, "fc.weight", 5, &[300, 400]);
    (init, values.into_iter().map(f64::from).collect())
}

#[test]
fn initialisers_have_the_moments_of_keras() {
    let goldens = goldens();
    let cases = goldens["initialisers"].as_object().expect("moments by call");
    for (call, wanted) in cases {
        let wanted = floats(wanted);
        let (init, values) = drawn(call);
        let (mean, std, largest) = moments(&values);
        // Five standard errors of the difference of two means of 120,000 draws.
        assert!((mean - wanted[0]).abs() <= 0.0205 * wanted[1] + 1e-7, "{call}: mean {mean}, {wanted:?}");
        assert!((std - wanted[1]).abs() <= 0.01 * wanted[1] + 1e-7, "{call}: std {std}, {wanted:?}");
        match init {
            Init::Normal { .. } | Init::Orthogonal { .. } => {}
            Init::Constant(_)
            | Init::Parts(_)
            | Init::Uniform { .. }
            | Init::TruncatedNormal { .. }
            | Init::Identity { .. } => {
                assert!(
                    (largest - wanted[2]).abs() <= 0.01 * wanted[2] + 1e-7,
                    "{call}: {largest}, {wanted:?}"
                );
            }
        }
    }
    let named: BTreeSet<&str> = cases.keys().map(|call| call.split('(').next().unwrap()).collect();
    let all: BTreeSet<&str> = ops::init::INITS.iter().map(|i| i.sig.name).collect();
    assert_eq!(named, all, "every initialiser is compared");
}

#[test]
fn orthogonal_rows_or_columns_are_at_right_angles() {
    for shape in [[40, 25], [25, 40], [30, 30], [7, 1]] {
        let [rows, columns] = shape;
        let init = Init::Orthogonal { gain: 1.5 };
        let w = ops::init::draw(&init, "w", 3, &shape);
        let at = |i: usize, j: usize| f64::from(w[i * columns + j]);
        let (few, many) = (rows.min(columns), rows.max(columns));
        let part = |v: usize, k: usize| if rows >= columns { at(k, v) } else { at(v, k) };
        for (a, b) in (0..few).flat_map(|a| (0..few).map(move |b| (a, b))) {
            let product: f64 = (0..many).map(|k| part(a, k) * part(b, k)).sum();
            let wanted = if a == b { 2.25 } else { 0.0 };
            assert!((product - wanted).abs() < 1e-6, "{shape:?}: {a} and {b} give {product}");
        }
    }
    // Axes but the last count as one, as in Keras.
    let init = Init::Orthogonal { gain: 1.0 };
    assert_eq!(ops::init::draw(&init, "w", 3, &[5, 8, 25]), ops::init::draw(&init, "w", 3, &[40, 25]));
}

#[test]
fn the_identity_is_cut_to_its_shape() {
    let draw = |shape: &[usize]| ops::init::draw(&Init::Identity { gain: 2.0 }, "w", 1, shape);
    assert_eq!(draw(&[2, 3]), [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    assert_eq!(draw(&[3, 2]), [2.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
}

#[test]
fn every_initialiser_prints_as_it_is_read() {
    for def in ops::init::INITS {
        let text = format!("x |> Dense(3, init={}) as fc", def.sig.example);
        let printed = print(&Bench::new([4, 6]).build(&text).graph());
        let read = parse(&printed).unwrap_or_else(|why| panic!("{printed}: {why}"));
        assert_eq!(print(&read), printed);
    }
}

/// What a batch norm gives and what becomes of its states, by output, for a batch of so many rows.
fn batch_norm(text: &str, mode: Mode, framework: Framework, x: &[f64]) -> Vec<(String, Vec<f64>)> {
    let mut bench = Bench::new([x.len(), 1]);
    (bench.mode, bench.framework) = (mode, framework);
    let graph = bench.build(text).graph();
    let mut given = inputs(&graph, &[x.len(), 1], 0.5, 1.5);
    given.leaves.insert("x".to_string(), Tensor::new([x.len(), 1], x.to_vec()));
    for (name, value) in [("running_mean", 3.0), ("running_var", 4.0), ("weight", 1.0), ("bias", 0.0)] {
        if let Some(leaf) = given.leaves.get_mut(&format!("bn.{name}")) {
            leaf.data = vec![value];
        }
    }
    let results = interp::run(&graph, &given);
    graph.outputs.iter().zip(results).map(|(o, r)| (o.name.to_string(), r.data)).collect()
}

fn output<'a>(all: &'a [(String, Vec<f64>)], name: &str) -> &'a [f64] {
    &all.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{name} is an output")).1
}

#[test]
fn batch_norm_moves_its_states_in_training_and_reads_them_in_evaluation() {
    let text = "x |> BatchNorm(decay=0.75, epsilon=0) as bn";
    let trained = batch_norm(text, Mode::Train, Framework::Keras, &[1.0, 5.0]);
    assert_near("mean of the batch", output(&trained, "0"), &[-1.0, 1.0], 1e-12);
    assert_near("moving mean", output(&trained, "bn.running_mean"), &[3.0], 1e-12);
    assert_near("moving variance", output(&trained, "bn.running_var"), &[4.0], 1e-12);
    let unbiased = batch_norm(text, Mode::Train, Framework::Torch, &[1.0, 5.0]);
    assert_near("of the sample", output(&unbiased, "bn.running_var"), &[0.75 * 4.0 + 0.25 * 8.0], 1e-12);
    let evaluated = batch_norm(text, Mode::Eval, Framework::Keras, &[1.0, 5.0]);
    assert_eq!(evaluated.len(), 1, "evaluation changes nothing");
    assert_near("by the moving ones", output(&evaluated, "0"), &[-1.0, 1.0], 1e-12);
}

#[test]
fn a_single_row_is_normalised_by_the_moving_statistics() {
    for framework in [Framework::Keras, Framework::Torch] {
        let all = batch_norm("x |> BatchNorm(epsilon=0) as bn", Mode::Train, framework, &[7.0]);
        assert_near("one row", output(&all, "0"), &[2.0], 1e-12);
        assert_eq!(output(&all, "bn.running_mean"), [3.0]);
        assert_eq!(output(&all, "bn.running_var"), [4.0]);
    }
}

#[test]
fn a_batch_norm_used_twice_moves_twice() {
    let once = "x |> BatchNorm(decay=0.5, epsilon=0) as bn";
    let text = format!("({once}) + (10 * x |> BatchNorm(decay=0.5, epsilon=0) as bn)");
    let all = batch_norm(&text, Mode::Train, Framework::Keras, &[1.0, 5.0]);
    assert_near(
        "mean",
        output(&all, "bn.running_mean"),
        &[0.5 * (0.5 * 3.0 + 0.5 * 3.0) + 0.5 * 30.0],
        1e-12,
    );
    assert_eq!(all.iter().filter(|(n, _)| n == "bn.running_mean").count(), 1, "one update of each state");
}
