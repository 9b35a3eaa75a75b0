//! Values against numbers that NumPy and SciPy computed (tests/goldens/formulas.py), and Keras and
//! PyTorch themselves (tests/goldens/library.py).

use super::bench::{Bench, inputs};
use crate::support::root;
use mlc::base::{Sources, TensorType};
use mlc::graph::interp::{self, Inputs, Tensor};
use mlc::graph::{Builder, Graph, Init, LeafKind, OutputKind, print};
use mlc::ops::optimizer::{Rule, Scalars};
use mlc::ops::{Framework, Library};
use serde_json::Value as Json;
use std::collections::BTreeSet;

fn goldens() -> Json {
    serde_json::from_str(include_str!("../../goldens/formulas.json")).expect("the goldens are JSON")
}

fn floats(json: &Json) -> Vec<f64> {
    match json {
        Json::Array(items) => items.iter().flat_map(floats).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

/// Relative, where the reference is `f64` throughout.
const EXACT: f64 = 1e-9;
/// Relative, where it averages in `f32`.
const AVERAGED: f64 = 1e-6;

fn assert_near(what: &str, found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (f, w) in found.iter().zip(wanted) {
        // gelu_tanh spells sqrt(2 / pi) with ten digits.
        assert!((f - w).abs() <= tolerance * w.abs().max(1.0), "{what}: {f}, but the reference has {w}");
    }
}

fn check_expressions(goldens: &Json, section: &str, tolerance: f64) {
    let expressions = goldens[section].as_object().expect("an object");
    assert!(expressions.len() >= 15);
    for (text, wanted) in expressions {
        let graph = Bench::new([4, 6]).build(text).graph();
        let mut given = inputs(&graph, &[4, 6], 0.0, 1.0);
        given.leaves.insert("x".to_string(), Tensor::new([4, 6], floats(&goldens["x"])));
        given.leaves.insert("i".to_string(), Tensor::new([4], floats(&goldens["i"])));
        assert_near(text, &interp::run(&graph, &given)[0].data, &floats(wanted), tolerance);
    }
}

#[test]
fn formulas_agree_with_scipy() {
    check_expressions(&goldens(), "expressions", EXACT);
}

/// One weight `w` whose gradient is the leaf `g`.
fn step_of(framework: Framework, name: &str, settings: &[(String, f64)]) -> Graph {
    let lib = Library::std(framework, &mut Sources::new());
    let mut b = Builder::new("step");
    b.param("w", [5], Init::Constant(0.0));
    let g = b.leaf("g", TensorType::f32([5]), LeafKind::Batch);
    let weight = b.graph().leaf("w").expect("just made");
    let rule = Rule::new(&lib, name, settings);
    let scalars = Scalars::new(&mut b, "");
    for (leaf, next) in rule.update(&lib, &mut b, scalars, weight, g) {
        let name = b.graph().leaves[leaf].name.clone();
        b.output(name, next, OutputKind::Update(leaf));
    }
    b.finish()
}

/// A rule's updates of `w` by each of the gradients in turn; gives what every leaf is then.
fn steps(graph: &Graph, lr: f64, w: &Json, gradients: &Json) -> Inputs {
    let mut inputs = Inputs::default();
    inputs.leaves.insert("lr".to_string(), Tensor::scalar(lr));
    inputs.leaves.insert("w".to_string(), Tensor::new([5], floats(w)));
    for (_, leaf) in graph.leaves.iter() {
        if let LeafKind::State(Init::Constant(start)) = leaf.kind {
            let shape = leaf.ty.shape.as_const().expect("the weight has no symbols");
            let data = vec![start; shape.iter().product()];
            inputs.leaves.insert(leaf.name.to_string(), Tensor::new(shape, data));
        }
    }
    for (t, g) in gradients.as_array().expect("an array").iter().enumerate() {
        inputs.leaves.insert("step".to_string(), Tensor::scalar(t as f64 + 1.0));
        inputs.leaves.insert("g".to_string(), Tensor::new([5], floats(g)));
        let next = interp::run(graph, &inputs);
        for (output, value) in graph.outputs.iter().zip(next) {
            inputs.leaves.insert(output.name.to_string(), value);
        }
    }
    inputs
}

fn settings_of(case: &Json) -> Vec<(String, f64)> {
    let settings = case["settings"].as_object().expect("an object").iter();
    settings.map(|(k, v)| (k.clone(), v.as_f64().expect("a number"))).collect()
}

/// Runs every case of a list and compares its outputs, as many as the case has.
fn check_optimizers(goldens: &Json) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for case in goldens["optimizers"].as_array().expect("an array") {
        let (framework, name) = (case["framework"].as_str().unwrap(), case["name"].as_str().unwrap());
        let settings = settings_of(case);
        let lr = settings.iter().find(|(k, _)| k == "lr").expect("lr is always said").1;
        let graph = step_of(Framework::parse(framework).expect("keras or torch"), name, &settings);
        let after = steps(&graph, lr, &goldens["w"], &goldens["gradients"]);
        for (output, wanted) in graph.outputs.iter().zip(case["after"].as_array().expect("an array")) {
            let what = format!("{framework} {name} {settings:?} {}", output.name);
            assert_near(&what, &after.leaves[&*output.name].data, &floats(wanted), EXACT);
        }
        seen.insert(name.to_string());
    }
    seen
}

#[test]
fn optimizers_agree_with_their_frameworks_formulas() {
    assert_eq!(check_optimizers(&goldens()).len(), 2);
}

/// What Keras and PyTorch themselves compute.
fn library() -> Json {
    let path = root().join("tests/goldens/library.json");
    let text = std::fs::read_to_string(path).expect("the goldens are there");
    serde_json::from_str(&text).expect("the goldens are JSON")
}

#[test]
fn activations_and_losses_agree_with_keras() {
    check_expressions(&library(), "expressions", EXACT);
    check_expressions(&library(), "averages", AVERAGED);
}

#[test]
fn optimizers_agree_with_the_frameworks_themselves() {
    let seen = check_optimizers(&library());
    let all = mlc::ops::optimizer::OPTIMIZERS.iter().map(|o| o.sig.name.to_string()).collect();
    assert_eq!(seen, all, "every optimizer is compared");
}

#[test]
fn adam_is_the_formula_of_keras() {
    let settings = [("lr", 1e-3), ("beta_1", 0.9), ("beta_2", 0.999), ("epsilon", 1e-7)];
    let settings: Vec<(String, f64)> = settings.iter().map(|(k, v)| (k.to_string(), *v)).collect();
    insta::assert_snapshot!(print(&step_of(Framework::Keras, "Adam", &settings)));
}

#[test]
fn cross_entropy_is_short() {
    insta::assert_snapshot!(print(&Bench::new([4, 6]).build("CrossEntropy(x, i)").graph()));
}
