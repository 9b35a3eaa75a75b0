//! Gradients against central differences in f64, in the middle of a graph.

use super::bench::{Bench, inputs};
use super::tables::{every_example, every_stage};
use mlc::ad;
use mlc::graph::interp::{self, Inputs, Tensor};
use mlc::graph::{Builder, Graph, LeafKind, OutputKind, Value};

/// An upstream factor of 1 would hide a rule that forgets it.
const UPSTREAM: f64 = 2.5;
const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-6;

/// Odd and size-1 axes.
const SHAPES: &[[usize; 2]] = &[[3, 5], [1, 1], [1, 7], [5, 1]];

/// A loss that weighs every element of every output differently, and its gradients.
struct Probe {
    graph: Graph,
    weights: Vec<String>,
}

fn probe(graph: Graph) -> Probe {
    let outputs: Vec<Value> = graph.outputs.iter().map(|o| o.value).collect();
    let mut b = Builder::resume(graph);
    let mut loss = b.constant(0.0);
    for v in outputs {
        let v = b.to_f32(v);
        let factors = match b.shape(v).rank() {
            0 => b.constant(UPSTREAM),
            rank => {
                let places = b.iota(b.shape(v).clone(), rank - 1);
                let places = b.to_f32(places);
                let slope = b.constant(0.3);
                let base = b.constant(UPSTREAM);
                let rising = b.mul(places, slope);
                b.add(base, rising)
            }
        };
        let weighed = b.mul(v, factors);
        let sum = b.sum_all(weighed);
        loss = b.add(loss, sum);
    }
    let leaves: Vec<_> = b
        .graph()
        .leaves
        .iter()
        .filter(|(_, l)| matches!(l.kind, LeafKind::Param(_)))
        .map(|(id, l)| (id, l.name.to_string()))
        .collect();
    let values: Vec<Value> = leaves.iter().map(|(id, _)| b.read(*id)).collect();
    let gradients = ad::gradient(&mut b, loss, &values);
    let mut graph = b.finish();
    graph.outputs.clear();
    let mut b = Builder::resume(graph);
    b.output("loss", loss, OutputKind::Loss);
    for ((_, name), g) in leaves.iter().zip(gradients) {
        b.output(name.clone(), g, OutputKind::Value);
    }
    Probe { graph: b.finish(), weights: leaves.into_iter().map(|(_, n)| n).collect() }
}

fn loss(graph: &Graph, inputs: &Inputs) -> f64 {
    interp::run(graph, inputs)[0].data[0]
}

fn differences(graph: &Graph, inputs: &Inputs, leaf: &str) -> Tensor {
    let at = &inputs.leaves[leaf];
    let data = (0..at.data.len())
        .map(|i| {
            let shifted = |by: f64| {
                let mut inputs = inputs.clone();
                inputs.leaves.get_mut(leaf).expect("a leaf of the graph").data[i] += by;
                loss(graph, &inputs)
            };
            (shifted(STEP) - shifted(-STEP)) / (2.0 * STEP)
        })
        .collect::<Vec<f64>>();
    Tensor::new(at.shape.clone(), data)
}

fn agree(what: &str, shape: [usize; 2], graph: Graph) {
    let probe = probe(graph);
    let given = inputs(&probe.graph, &shape, -1.7, 1.9);
    compare(what, shape, &probe, given);
}

fn compare(what: &str, shape: [usize; 2], probe: &Probe, mut given: Inputs) {
    if !loss(&probe.graph, &given).is_finite() {
        // Logarithms and roots live on the positive side.
        given = inputs(&probe.graph, &shape, 0.3, 1.9);
    }
    let results = interp::run(&probe.graph, &given);
    for (name, found) in probe.weights.iter().zip(&results[1..]) {
        let wanted = differences(&probe.graph, &given, name);
        assert_eq!(found.shape, wanted.shape);
        for (i, (f, w)) in found.data.iter().zip(&wanted.data).enumerate() {
            let scale = 1.0 + f.abs().max(w.abs());
            assert!(
                (f - w).abs() <= TOLERANCE * scale,
                "{what} {shape:?}: d {name}[{i}] is {f}, differences say {w}"
            );
        }
    }
}

#[test]
fn formulas_have_the_gradient_of_their_values() {
    for example in every_example() {
        if example.starts_with("stop_gradient") {
            continue;
        }
        for shape in SHAPES {
            // In the middle of a graph: what comes in is itself a function of the weight.
            let text = example.replace("(x", "(1.1 * x + 0.05").replace(" x", " (1.1 * x + 0.05)");
            agree(&example, *shape, Bench::new(*shape).build(&text).graph());
        }
    }
}

#[test]
fn smooth_formulas_are_smooth_at_zero() {
    // Weights and biases often start there: a formula made of kinks must not show them.
    for text in [
        "BinaryCrossEntropy(x, 0)",
        "BinaryCrossEntropy(x, 1)",
        "CrossEntropy(x, i)",
        "MeanSquaredError(x, 0.5)",
        "softplus(x)",
        "mish(x)",
        "log_sigmoid(x)",
        "Huber(x, 0.5)",
        "LogCosh(x, 0)",
        "BinaryFocalCrossEntropy(x, 1)",
        "CategoricalFocalCrossEntropy(x, i)",
        "KLDivergence(x, softmax(x))",
        "sigmoid(x)",
        "tanh(x)",
        "gelu(x)",
        "gelu_tanh(x)",
        "silu(x)",
        "softmax(x)",
        "log_softmax(x)",
    ] {
        let probe = probe(Bench::new([3, 5]).build(text).graph());
        let mut given = inputs(&probe.graph, &[3, 5], 0.0, 1.0);
        given.leaves.insert("x".to_string(), Tensor::new([3, 5], vec![0.0; 15]));
        compare(text, [3, 5], &probe, given);
    }
}

#[test]
fn rectifiers_have_slope_zero_at_zero() {
    let probe = probe(Bench::new([3, 5]).build("relu(x)").graph());
    let mut given = inputs(&probe.graph, &[3, 5], 0.0, 1.0);
    given.leaves.insert("x".to_string(), Tensor::new([3, 5], vec![0.0; 15]));
    assert_eq!(interp::run(&probe.graph, &given)[1].data, vec![0.0; 15]);
}

#[test]
fn bends_have_slope_one_at_zero() {
    // Their curvature jumps there, which differences would show; the slope does not.
    let slopes = |text: &str| {
        let probe = probe(Bench::new([3, 5]).build(text).graph());
        let mut given = inputs(&probe.graph, &[3, 5], 0.0, 1.0);
        given.leaves.insert("x".to_string(), Tensor::new([3, 5], vec![0.0; 15]));
        interp::run(&probe.graph, &given)[1].data.clone()
    };
    for text in ["elu(x)", "softsign(x)", "hard_tanh(x)"] {
        assert_eq!(slopes(text), slopes("1 * x"), "{text}");
    }
}

#[test]
fn layers_have_the_gradient_of_their_values() {
    for stage in every_stage() {
        for shape in SHAPES {
            // `Reshape(3, -1)` needs rows of a multiple of 3.
            let shape = if stage.starts_with("Reshape") { [shape[0], 3] } else { *shape };
            let text = format!("(1.1 * x + 0.05) |> {stage}");
            agree(&stage, shape, Bench::new(shape).build(&text).graph());
        }
    }
}

#[test]
fn penalties_have_gradients_too() {
    agree("l1 and l2", [3, 5], Bench::new([3, 5]).build("x |> Dense(2, l1=0.1, l2=0.3) as fc").graph());
}

#[test]
fn nothing_flows_through_stop_gradient() {
    let probe = probe(Bench::new([3, 5]).build("stop_gradient(exp(x))").graph());
    let results = interp::run(&probe.graph, &inputs(&probe.graph, &[3, 5], -1.0, 1.0));
    assert!(results[0].data[0] > 0.0);
    assert_eq!(results[1].data, vec![0.0; 15]);
}
