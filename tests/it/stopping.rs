//! Early stopping as Keras has it, and the choice of weights on the validation split.

use crate::support::{Run, mlc, root, stderr};
use mlc::ops::metric::Better;
use mlc::ops::stop::{EarlyStopping, Patience};
use std::fs;

/// 200 random courses of a value: the evaluation that stops, and the one whose weights are restored.
#[test]
fn it_stops_where_keras_stops() {
    let text = fs::read_to_string(root().join("tests/goldens/stopping.json")).expect("the goldens are there");
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).expect("the goldens are JSON");
    assert_eq!(cases.len(), 200);
    for case in &cases {
        let count = |name: &str| case[name].as_u64().expect("a count");
        let rule = EarlyStopping {
            better: if case["mode"] == "min" { Better::Lower } else { Better::Higher },
            min_delta: case["min_delta"].as_f64().expect("a number"),
            patience: count("patience"),
            baseline: case["baseline"].as_f64(),
            restore_best: true,
            start_from_epoch: count("start_from_epoch"),
        };
        let values = case["values"].as_array().expect("a list");
        let (mut patience, mut restored, mut stopped) = (Patience::default(), None, None);
        for (epoch, value) in values.iter().enumerate() {
            let verdict = patience.see(&rule, value.as_f64().unwrap_or(f64::NAN));
            if verdict.best {
                restored = Some(epoch);
            }
            if verdict.stop {
                stopped = Some(epoch as u64);
                break;
            }
        }
        let restored = restored.unwrap_or(values.len() - 1);
        assert_eq!((stopped, restored as u64), (case["stopped"].as_u64(), count("restored")), "{case}");
    }
}

/// The digits with another way to train.
fn digits(train: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = fs::read_to_string(root().join("specs/digits.mlspec")).expect("the lesson is there");
    let text =
        text.replace("\"data/digits\"", &format!("\"{}\"", root().join("specs/data/digits").display()));
    let text = text.replace("  seed      = 42\n", &format!("  seed      = 42\n  {train}\n"));
    let file = folder.path().join("digits.mlspec");
    fs::write(&file, text).expect("the folder is writable");
    let name = file.display().to_string();
    (folder, name)
}

fn of<'a>(records: &'a [serde_json::Value], split: &str) -> Vec<&'a serde_json::Value> {
    records.iter().filter(|r| r["split"] == split && r["of"] == "epoch").collect()
}

#[test]
fn the_test_split_sees_the_best_weights_by_validation() {
    let choosers = [
        ("stop = EarlyStopping(monitor=valid.accuracy, patience=3, restore_best=true)", "accuracy"),
        ("checkpoint { best = valid.loss }", "loss"),
    ];
    for (chooser, metric) in choosers {
        let (_folder, spec) = digits(chooser);
        let run = Run::train(&spec, &["--set", "train.epochs=14", "--set", "train.optimizer.lr=0.06"]);
        let yaml: serde_yaml::Value =
            serde_yaml::from_str(&fs::read_to_string(run.file("run.yaml")).unwrap()).unwrap();
        let records = run.records();
        let valid = of(&records, "valid");
        let value = |r: &serde_json::Value| match metric {
            "loss" => r["loss"].as_f64().unwrap(),
            _ => -r["metrics"][metric].as_f64().unwrap(),
        };
        // The first of equal ones.
        let best = valid.iter().copied().reduce(|a, b| if value(b) < value(a) { b } else { a }).unwrap();
        let step = best["step"].as_u64().unwrap();
        assert_ne!(step, valid.last().unwrap()["step"].as_u64().unwrap(), "another than the last: {chooser}");
        assert_eq!(yaml["weights_of"]["step"].as_u64(), Some(step));
        assert_eq!(yaml["weights_of"]["best"].as_str(), Some(format!("valid.{metric}").as_str()));
        assert_eq!(yaml["results"]["valid"]["loss"].as_f64(), best["loss"].as_f64());
        // The weights of that step are those of a run that ends there, and so are test results.
        let (_folder, plain) = digits("");
        let steps = step.to_string();
        let there = Run::train(&plain, &["--set", "train.optimizer.lr=0.06", "--steps", &steps]);
        assert_eq!(run.weights_hash(), there.weights_hash(), "{chooser}");
        assert_eq!(of(&records, "test")[0]["loss"], of(&there.records(), "test")[0]["loss"]);
    }
}

#[test]
fn an_early_end_is_the_run_s_end() {
    let (_folder, spec) = digits("stop = EarlyStopping(patience=1)");
    let run = Run::train(&spec, &["--set", "train.epochs=200", "--set", "train.optimizer.lr=0.05"]);
    let yaml: serde_yaml::Value =
        serde_yaml::from_str(&fs::read_to_string(run.file("run.yaml")).unwrap()).unwrap();
    assert_eq!(yaml["finished"].as_str(), Some("stopped early"));
    let records = run.records();
    let losses: Vec<f64> = of(&records, "valid").iter().map(|r| r["loss"].as_f64().unwrap()).collect();
    let (last, before) = losses.split_last().unwrap();
    assert!(before.windows(2).all(|w| w[1] < w[0]), "it got better all the time: {losses:?}");
    assert!(last >= before.last().unwrap());
    // Without `restore_best` the weights are the last.
    assert_eq!(yaml["weights_of"]["step"], yaml["steps"]);
    assert_eq!(of(&records, "test").len(), 1);
    let folder = run.file("").display().to_string();
    let again = mlc(&["train", "--resume", &folder]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("by early stopping"), "{}", stderr(&again));
}

#[test]
fn patience_is_an_override() {
    let (_folder, spec) = digits("stop = EarlyStopping(patience=1)");
    let set = ["--set", "train.epochs=12", "--set", "train.stop.patience=100"];
    let records = Run::train(&spec, &set).records();
    assert_eq!(of(&records, "valid").len(), 12);
}
