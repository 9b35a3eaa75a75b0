//! The lessons on a GPU, against the processor and the reference interpreter.

use super::device;
use crate::support::{large_data, mlc, root, spec, stderr, stdout};
use crate::verify::{edit, verified};
use mlc::graph::{Prim, ScalarOp};
use mlc::tools::verify::Gpu;
use std::path::Path;

/// `mlc verify` finds nothing, and the GPU took part.
fn agrees(test: &str, lesson: &str, args: &[&str]) {
    agrees_on(test, &spec(lesson), 7, args);
}

/// The same of any spec, of so many tensors at least.
fn agrees_on(test: &str, spec: &str, least: usize, args: &[&str]) {
    if device(test).is_none() {
        return;
    }
    let output = mlc(&[&["verify", spec, "--device", "gpu", "--json"], args].concat());
    assert!(output.status.success(), "{spec}\n{}{}", stdout(&output), stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("a report in JSON");
    assert_eq!(report["agrees"], true);
    assert!(report["gpu"].is_string());
    let tensors = report["tensors"].as_array().expect("a list");
    assert!(tensors.len() >= least);
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

/// Cells as a recurrent net has them, each gate a part of one product, and what of one step goes into the next.
const GATES: &str = r#"mlspec 1
data d { source = synthetic(normal, features=16, classes=4, rows=64)  batch = 4 }
model M {
  input x: f32[B, 16]
  let again = Dense(128, bias=false)
  let i1, f1, g1, o1 = x |> Dense(128) as first |> split(4)
  let c1 = sigmoid(i1) * tanh(g1) + 0 * f1
  let i2, f2, g2, o2 = again(sigmoid(o1) * tanh(c1)) |> split(4)
  let c2 = sigmoid(f2) * c1 + sigmoid(i2) * tanh(g2)
  output logits: f32[B, 4] = sigmoid(o2) * tanh(c2) |> Dense(4) as out
}
train { feed { x = d.x  y = d.y }  loss = CrossEntropy(M.logits, y)  optimizer = SGD(lr=0.1)  steps = 2 }
"#;

#[test]
fn gates_agree() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("gates.mlspec");
    std::fs::write(&file, GATES).expect("a file is written");
    agrees_on("gates_agree", &file.display().to_string(), 30, &[]);
}

/// The digits by a recurrent net: `layer` in place of the dense one.
fn recurrent_digits(folder: &Path, layer: &str) -> String {
    let text = std::fs::read_to_string(spec("digits")).unwrap();
    let dense = "Flatten\n          |> Dense(hidden, activation=relu)";
    assert!(text.contains(dense), "the lesson is another");
    let path = folder.join("rows.mlspec");
    std::fs::write(&path, text.replace(dense, layer)).unwrap();
    path.display().to_string()
}

/// The eight rows of a digit are as many steps; its pixels are sixty-four. One body each, whatever the length.
#[test]
fn recurrent_nets_agree() {
    let folder = tempfile::tempdir().unwrap();
    let data = root().join("specs").display().to_string();
    for layer in [
        "LSTM(hidden, dropout=0.2, recurrent_dropout=0.2)",
        "GRU(hidden, go_backwards=true, return_sequences=true) as gru |> SimpleRNN(hidden)",
        "Bidirectional(LSTM(hidden))",
        "Reshape(64, 1) |> GRU(hidden)",
    ] {
        let digits = recurrent_digits(folder.path(), layer);
        agrees_on(
            "recurrent_nets_agree",
            &digits,
            7,
            &["--batch", "4", "--data", &data, "--set", "hidden=32"],
        );
    }
}

/// A loop of any length costs the shaders of one step.
#[test]
fn shaders_do_not_grow_with_the_steps_of_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    let data = root().join("specs").display().to_string();
    let head = |layer: &str| {
        let digits = recurrent_digits(folder.path(), layer);
        let shown = stdout(&mlc(&["dump", &digits, "--stage", "wgsl", "--data", &data]));
        let dispatches = |line: &&str| line.contains("dispatches of");
        shown.lines().find(dispatches).expect("a head").to_string()
    };
    assert_eq!(head("Reshape(8, 8) |> LSTM(hidden)"), head("Reshape(16, 4) |> LSTM(hidden)"));
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
