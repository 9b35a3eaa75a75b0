//! `class_weights=balanced` is the list that scikit-learn would write, counted on training rows.

use crate::support::{Run, mlc, stderr, stdout};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of three classes: of each ten, seven `a`, two `b`, one `c`.
fn rows(count: usize) -> String {
    let mut text = String::from("x,z,kind,rare\n");
    for i in 0..count {
        let kind = ["a", "a", "b", "a", "a", "c", "a", "b", "a", "a"][i % 10];
        let _ = writeln!(text, "{},{},{kind},{}", i * 37 % 101, i * 13 % 17, usize::from(kind == "c"));
    }
    text
}

/// A spec with this loss in `folder`; the first 60 of 80 rows are for training.
fn spec(folder: &Path, name: &str, split: &str, loss: &str) -> PathBuf {
    let path = folder.join(format!("{name}.mlspec"));
    let text = format!(
        "mlspec 1\n\ndata t {{\n  source = csv(\"t.csv\")\n  x, z : standardize\n  kind : class(a, b, c)\n  rare : class(2)\n  \
         split {{ {split} }}\n  batch = 20\n}}\n\nmodel Net {{\n  input row: f32[B, 2]\n  let h = row |> Dense(8, \
         activation=tanh) as fc1\n  output logits: f32[B, 3] = h |> Dense(3) as kind\n  output logit: f32[B] = h |> Dense(1) \
         as rare |> Squeeze\n}}\n\ntrain {{\n  feed {{ row = t.row  kind = t.kind  rare = t.rare }}\n  loss = {loss}\n  \
         optimizer = SGD(lr=0.2)\n  epochs = 4\n  seed = 3\n}}\n"
    );
    fs::write(folder.join("t.csv"), rows(80)).expect("the folder is writable");
    fs::write(&path, text).expect("the folder is writable");
    path
}

const ORDERED: &str = "train = 60  valid = 20  ordered = true";

fn losses(path: &Path) -> Vec<f64> {
    let run = Run::train(path.to_str().expect("UTF-8"), &[]);
    run.records().iter().map(|r| r["loss"].as_f64().expect("a number")).collect()
}

#[track_caller]
fn alike(one: &[f64], other: &[f64]) {
    assert_eq!(one.len(), other.len());
    for (a, b) in one.iter().zip(other) {
        assert!((a - b).abs() <= 1e-6 * b.abs(), "{one:?}\n{other:?}");
    }
}

#[test]
fn balanced_weights_are_those_of_scikit_learn() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let train = |name, loss: &str| losses(&spec(folder.path(), name, ORDERED, loss));
    // compute_class_weight("balanced", classes, y) = n / (classes * count), of 42, 12 and 6 rows.
    let (a, b, c) = (60.0 / (3.0 * 42.0), 60.0 / (3.0 * 12.0), 60.0 / (3.0 * 6.0));
    let more = ", label_smoothing=0.1) + BinaryCrossEntropy(Net.logit, rare)";
    let listed =
        train("listed", &format!("CrossEntropy(Net.logits, kind, class_weights=[{a}, {b}, {c}]{more}"));
    let balanced = train("balanced", &format!("CrossEntropy(Net.logits, kind, class_weights=balanced{more}"));
    let plain = train("plain", "CrossEntropy(Net.logits, kind) + BinaryCrossEntropy(Net.logit, rare)");
    alike(&balanced, &listed);
    assert!((balanced[2] / plain[2] - 1.0).abs() > 0.01, "weights change the loss");

    // Of two classes, 54 rows and 6: each row weighs as its class, as Keras' `class_weight` has it.
    let (no, yes) = (60.0 / (2.0 * 54.0), 60.0 / (2.0 * 6.0));
    let other = "CrossEntropy(Net.logits, kind) + BinaryCrossEntropy(Net.logit, rare, ";
    let listed = train("two", &format!("{other}weight=where(rare == 1, {yes}, {no}))"));
    let balanced = train("two_balanced", &format!("{other}class_weights=balanced)"));
    alike(&balanced, &listed);
}

#[test]
fn a_run_keeps_its_weights_of_classes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let loss = "CrossEntropy(Net.logits, kind, class_weights=balanced) + BinaryCrossEntropy(Net.logit, rare)";
    let path = spec(folder.path(), "kept", ORDERED, loss);
    let run = Run::train(path.to_str().expect("UTF-8"), &[]);
    let weights = run.tensor("model.safetensors", "kind.class_weights");
    assert_eq!(weights, [60.0 / 126.0, 60.0 / 36.0, 60.0 / 18.0].map(|x: f64| x as f32));
    let folder_of_run = run.file("").display().to_string();
    let data = folder.path().to_str().expect("UTF-8");
    let output = mlc(&["eval", &folder_of_run, "--split", "valid", "--data", data, "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let valid = run.records().into_iter().rfind(|r| r["split"] == "valid").expect("a validation");
    assert_eq!(report["loss"], valid["loss"]);
}

#[test]
fn every_fold_counts_its_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let loss = "CrossEntropy(Net.logits, kind, class_weights=balanced) + BinaryCrossEntropy(Net.logit, rare)";
    let path = spec(folder.path(), "folds", "kfold = 3  seed = 2", loss);
    let run = Run::train(path.to_str().expect("UTF-8"), &[]);
    let of = |fold| run.tensor(&format!("fold-{fold}/model.safetensors"), "kind.class_weights");
    assert!(of(1) != of(2) || of(2) != of(3), "{:?}", of(1));
}

#[test]
fn what_has_no_classes_cannot_be_balanced() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let loss =
        "CrossEntropy(Net.logits, 2 - kind, class_weights=balanced) + BinaryCrossEntropy(Net.logit, rare)";
    let path = spec(folder.path(), "wrong", ORDERED, loss);
    let output = mlc(&["check", path.to_str().expect("UTF-8")]);
    let said = stderr(&output) + &stdout(&output);
    assert!(said.contains("counts the classes of a column"), "{said}");
}
