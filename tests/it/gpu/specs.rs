//! The lessons on a GPU, against the processor and the reference interpreter.

use super::device;
use crate::support::{large_data, mlc, spec, stderr, stdout};
use crate::verify::{edit, verified};
use mlc::graph::{Prim, ScalarOp};
use mlc::tools::verify::Gpu;

/// `mlc verify` finds nothing, and the GPU took part.
fn agrees(test: &str, lesson: &str, args: &[&str]) {
    if device(test).is_none() {
        return;
    }
    let output = mlc(&[&["verify", &spec(lesson), "--device", "gpu", "--json"], args].concat());
    assert!(output.status.success(), "{lesson}\n{}{}", stdout(&output), stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("a report in JSON");
    assert_eq!(report["agrees"], true);
    assert!(report["gpu"].is_string());
    let tensors = report["tensors"].as_array().expect("a list");
    assert!(tensors.len() >= 7);
    assert!(tensors.iter().all(|t| t["gpu"]["share"].as_f64().is_some_and(|share| share <= 1.0)));
}

#[test]
fn the_line_agrees() {
    agrees("the_line_agrees", "line", &[]);
}

#[test]
fn xor_agrees() {
    agrees("xor_agrees", "xor", &[]);
}

#[test]
fn iris_agree() {
    agrees("iris_agree", "iris", &[]);
}

/// The last batch of an epoch is smaller, and may be odd.
#[test]
fn odd_batches_agree() {
    agrees("odd_batches_agree", "iris", &["--batch", "7"]);
    agrees("odd_batches_agree", "digits", &["--batch", "1"]);
}

#[test]
fn convolutions_agree() {
    agrees("convolutions_agree", "digits_cnn", &[]);
}

#[test]
fn digits_agree() {
    agrees("digits_agree", "digits", &[]);
}

/// Both sides are told of, each with what to do.
#[test]
fn a_planted_defect_is_found_on_both_sides() {
    if device("a_planted_defect_is_found_on_both_sides").is_none() {
        return;
    }
    let (sources, report, wrong) = verified(
        "xor",
        Gpu::Required,
        Some(|graph| {
            let tanh = |prim: &Prim| matches!(prim, Prim::Map { op: ScalarOp::Tanh, .. });
            edit(graph, 0, tanh, |prim| {
                if let Prim::Map { op, .. } = prim {
                    *op = ScalarOp::Sin;
                }
            });
        }),
    );
    assert!(!report.agrees);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    for diagnostic in &wrong {
        assert!(sources.line(diagnostic.span()).contains("as hidden"), "{diagnostic:?}");
    }
    assert!(wrong[1].help.as_ref().is_some_and(|help| help.contains("--device cpu")));
}

/// With its data where they are, else on bytes made up.
#[test]
fn mnist_agrees() {
    agrees("mnist_agrees", "mnist", &["--batch", "8"]);
    if let Some(data) = large_data("mnist_agrees") {
        agrees("mnist_agrees", "mnist", &["--data", &data]);
    }
}
