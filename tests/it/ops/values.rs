//! Values against numbers that NumPy and SciPy computed (tests/goldens/formulas.py).

use super::bench::{Bench, inputs};
use mlc::base::{Sources, TensorType};
use mlc::graph::interp::{self, Inputs, Tensor};
use mlc::graph::{Builder, Graph, Init, LeafKind, OutputKind, print};
use mlc::ops::optimizer::{Rule, Scalars};
use mlc::ops::{Framework, Library};
use serde_json::Value as Json;

fn goldens() -> Json {
    serde_json::from_str(include_str!("../../goldens/formulas.json")).expect("the goldens are JSON")
}

fn floats(json: &Json) -> Vec<f64> {
    match json {
        Json::Array(items) => items.iter().flat_map(floats).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

fn assert_near(what: &str, found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (f, w) in found.iter().zip(wanted) {
        // gelu_tanh spells sqrt(2 / pi) with ten digits.
        assert!((f - w).abs() <= 1e-9 * w.abs().max(1.0), "{what}: {f}, but the reference has {w}");
    }
}

#[test]
fn formulas_agree_with_scipy() {
    let goldens = goldens();
    let expressions = goldens["expressions"].as_object().expect("an object");
    assert!(expressions.len() >= 20);
    for (text, wanted) in expressions {
        let graph = Bench::new([4, 6]).build(text).graph();
        let mut given = inputs(&graph, &[4, 6], 0.0, 1.0);
        given.leaves.insert("x".to_string(), Tensor::new([4, 6], floats(&goldens["x"])));
        given.leaves.insert("i".to_string(), Tensor::new([4], floats(&goldens["i"])));
        assert_near(text, &interp::run(&graph, &given)[0].data, &floats(wanted));
    }
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

#[test]
fn optimizers_agree_with_their_frameworks_formulas() {
    let goldens = goldens();
    for case in goldens["optimizers"].as_array().expect("an array") {
        let (framework, name) = (case["framework"].as_str().unwrap(), case["name"].as_str().unwrap());
        let settings: Vec<(String, f64)> = case["settings"]
            .as_object()
            .expect("an object")
            .iter()
            .map(|(k, v)| (k.clone(), v.as_f64().expect("a number")))
            .collect();
        let lr = settings.iter().find(|(k, _)| k == "lr").expect("lr is always said").1;
        let graph = step_of(Framework::parse(framework).expect("keras or torch"), name, &settings);

        let mut inputs = Inputs::default();
        inputs.leaves.insert("lr".to_string(), Tensor::scalar(lr));
        inputs.leaves.insert("w".to_string(), Tensor::new([5], floats(&goldens["w"])));
        for output in &graph.outputs[1..] {
            inputs.leaves.insert(output.name.to_string(), Tensor::new([5], vec![0.0; 5]));
        }
        for (t, g) in goldens["gradients"].as_array().expect("an array").iter().enumerate() {
            inputs.leaves.insert("step".to_string(), Tensor::scalar(t as f64 + 1.0));
            inputs.leaves.insert("g".to_string(), Tensor::new([5], floats(g)));
            let next = interp::run(&graph, &inputs);
            for (output, value) in graph.outputs.iter().zip(next) {
                inputs.leaves.insert(output.name.to_string(), value);
            }
        }
        for (output, wanted) in graph.outputs.iter().zip(case["after"].as_array().expect("an array")) {
            let what = format!("{framework} {name} {settings:?} {}", output.name);
            assert_near(&what, &inputs.leaves[&*output.name].data, &floats(wanted));
        }
    }
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
