//! Layers over places of sequences and images against Keras itself (tests/goldens/images.py).

use super::bench::{Bench, inputs, run};
use super::layers::{assert_near, floats, with_gradients};
use crate::support::root;
use mlc::graph::interp::{self, Tensor};
use mlc::ops::Mode;
use serde_json::Value as Json;
use std::collections::BTreeSet;

fn goldens() -> Json {
    let text =
        std::fs::read_to_string(root().join("tests/goldens/images.json")).expect("the goldens are there");
    serde_json::from_str(&text).expect("the goldens are JSON")
}

fn shape(json: &Json) -> Vec<usize> {
    floats(json).into_iter().map(|n| n as usize).collect()
}

#[test]
fn values_and_gradients_are_those_of_keras() {
    let mut seen = BTreeSet::new();
    for case in goldens()["layers"].as_array().expect("a list of cases") {
        let (stage, of_x) = (case["stage"].as_str().unwrap(), shape(&case["shape"]));
        let bench = Bench::new(of_x.as_slice());
        let graph = with_gradients(bench.build(&format!("x |> {stage} as it")).graph());
        let mut given = inputs(&graph, &of_x, 0.0, 1.0);
        given.leaves.insert("x".to_string(), Tensor::new(of_x.as_slice(), floats(&case["x"])));
        for (name, values) in case["weights"].as_object().expect("weights by name") {
            let known = given.leaves.get_mut(&format!("it.{name}"));
            let known = known.unwrap_or_else(|| panic!("{stage} has {name}"));
            let values = floats(values);
            assert_eq!(known.data.len(), values.len(), "{stage} {name}");
            known.data = values;
        }
        for (output, found) in graph.outputs.iter().zip(interp::run(&graph, &given)) {
            let wanted = match &*output.name {
                "0" => &case["y"],
                "x" => &case["dx"],
                weight => &case["dw"][weight.strip_prefix("it.").expect("a weight of the layer")],
            };
            if &*output.name == "0" {
                assert_eq!(found.shape, shape(&case["shape_of_y"]), "{stage}");
            }
            assert_near(&format!("{stage} {of_x:?} {}", output.name), &found.data, &floats(wanted), 2e-6);
        }
        seen.insert(stage.split('(').next().unwrap().to_string());
    }
    assert_eq!(seen.len(), 19, "{seen:?}");
}

/// What no window could tell apart: equals give their gradient to the first, as everywhere.
#[test]
fn the_first_of_equals_takes_the_gradient_of_a_pool() {
    let graph = with_gradients(Bench::new([1, 4, 4, 1]).build("0 * x |> MaxPooling2D").graph());
    let pooled = with_gradients(Bench::new([1, 4, 4, 1]).build("x |> MaxPooling2D").graph());
    assert_eq!(graph.outputs.len(), pooled.outputs.len());
    let mut given = inputs(&pooled, &[1, 4, 4, 1], 0.0, 1.0);
    given.leaves.insert("x".to_string(), Tensor::new([1, 4, 4, 1], vec![0.0; 16]));
    let dx = &interp::run(&pooled, &given)[1].data;
    let first = |i: usize| if (i / 4).is_multiple_of(2) && i.is_multiple_of(2) { 1.0 } else { 0.0 };
    assert_eq!(*dx, (0..16).map(first).collect::<Vec<f64>>());
}

#[test]
fn spatial_dropout_drops_whole_channels() {
    let of_x = [40, 3, 4, 5];
    for mode in [Mode::Train, Mode::Eval] {
        let mut bench = Bench::new(of_x);
        bench.mode = mode;
        let y =
            run(&bench.build("0 * x + 1 |> SpatialDropout2D(0.25)").graph(), &of_x, 0.0, 1.0).remove(0).data;
        let mut kept = 0;
        for row in 0..40 {
            for channel in 0..5 {
                let all: BTreeSet<u64> = (0..12).map(|at| y[row * 60 + at * 5 + channel].to_bits()).collect();
                assert_eq!(all.len(), 1, "a channel is dropped as a whole");
                kept += usize::from(y[row * 60 + channel] > 0.0);
            }
        }
        match mode {
            Mode::Train => assert!((130..170).contains(&kept), "{kept} of 200 channels were kept"),
            Mode::Eval => assert_eq!(kept, 200),
        }
    }
}

/// Mistakes that people make with images, and where they are told.
#[test]
fn what_does_not_fit_is_told_with_a_way_out() {
    for (of_x, stage, code, help) in [
        (
            vec![2, 28, 28],
            "Conv2D(4, 3)",
            "shape::layer",
            "give each place one channel: `Reshape(28, 28, 1)`",
        ),
        (vec![2, 28], "Conv1D(4, 3)", "shape::layer", "give each place one channel: `Reshape(28, 1)`"),
        (
            vec![2, 28, 28],
            "MaxPooling2D",
            "shape::layer",
            "give each place one channel: `Reshape(28, 28, 1)`",
        ),
        (vec![2, 1, 28, 28], "Conv2D(4, 3)", "shape::layer", "channels are the last axis here"),
        (vec![2, 4, 4, 1], "Conv2D(4, 5)", "shape::layer", "`padding=same`"),
        (vec![2, 4, 4, 3], "Conv2D(4, 3, groups=2)", "shape::layer", "divide both"),
        (vec![2, 4, 4, 4], "Conv2D(3, 3, groups=2)", "shape::layer", "divide both"),
        (vec![2, 4, 4, 4], "Conv2D(3, (3, 3, 3))", "call::type", "(3, 5)"),
        (vec![2, 4, 4, 4], "ZeroPadding2D((1, 2, 3))", "call::type", "a pair for each"),
        (vec![2, 4, 4, 4], "Cropping2D(2)", "shape::layer", "cut fewer off"),
        (vec![2, 4, 4], "Permute(2, 2)", "shape::layer", "write 1, 2 in another order"),
        (vec![2, 4, 4, 4], "Conv2D(3, kernel_size=3)", "call::foreign", "write `kernel`"),
        (vec![2, 4, 4, 4], "MaxPooling2D(pool_size=2)", "call::foreign", "write `size`"),
    ] {
        let outcome = Bench::new(of_x.as_slice()).build(&format!("x |> {stage}"));
        let found = outcome.result.expect_err(stage);
        assert_eq!(found.len(), 1, "{stage}: {found:#?}");
        assert_eq!(found[0].code, code, "{stage}");
        let told = found[0].help.clone().unwrap_or_default();
        assert!(told.contains(help), "{stage}: {told}");
    }
}
