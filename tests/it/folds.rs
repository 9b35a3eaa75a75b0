//! Folds from outside: runs below a run, means and spreads, the same bits as one fold alone.

use crate::support::{mlc, run, stderr, stdout};
use std::fs;
use std::path::Path;

const FOLDED: &str = "mlspec 1

data iris {
  source = csv(\"data/iris.csv\", skip=1, columns=[sepal_length, sepal_width, petal_length, petal_width, species])
  sepal_length, sepal_width, petal_length, petal_width : standardize
  species : class(3)
  split { kfold = 3  valid = 10%  stratify = species  seed = 1 }
  batch = 16
}

model Iris {
  input row: f32[B, iris.features]
  output logits: f32[B, 3] = row |> Dense(8, activation=relu) as fc1 |> Dense(3) as out
}

train {
  feed      { row = iris.row  species = iris.species }
  loss      = CrossEntropy(Iris.logits, species)
  optimizer = Adam(lr=0.01)
  metrics   = [accuracy]
  epochs    = 20
}
";

/// Trains a spec text into `out` on the small data.
fn train(folder: &Path, text: &str, more: &[&str]) -> std::process::Output {
    let file = folder.join("folded.mlspec");
    fs::write(&file, text).unwrap();
    let (file, out) = (file.display().to_string(), folder.join("run").display().to_string());
    mlc(&[&["train", &file, "--data", "specs", "--out", &out], more].concat())
}

fn yaml(folder: &Path) -> serde_yaml::Value {
    serde_yaml::from_str(&fs::read_to_string(folder.join("run.yaml")).unwrap()).unwrap()
}

#[test]
fn every_fold_is_a_run_and_the_whole_has_their_means() {
    let folder = tempfile::tempdir().unwrap();
    let output = train(folder.path(), FOLDED, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let whole = folder.path().join("run");
    let info = yaml(&whole);
    assert_eq!(info["finished"].as_str(), Some("complete"));
    assert_eq!(info["folds"]["of"].as_u64(), Some(3));

    let folds: Vec<_> = (1..=3).map(|n| yaml(&whole.join(format!("fold-{n}")))).collect();
    let rows =
        |info: &serde_yaml::Value| ["train", "valid", "test"].map(|p| info["rows"][p].as_u64().unwrap());
    assert!(
        folds.iter().all(|f| rows(f) == [90, 10, 50]),
        "a third is tested, a tenth of the rest validates"
    );
    let mut all: Vec<f64> = Vec::new();
    for (n, fold) in folds.iter().enumerate() {
        assert_eq!(fold["weights_hash"], info["folds"]["done"][n]["weights_hash"]);
        all.push(fold["results"]["test"]["accuracy"].as_f64().unwrap());
    }
    assert_ne!(folds[0]["weights_hash"], folds[1]["weights_hash"], "each has rows of its own");
    assert_ne!(folds[0]["fitted"], folds[1]["fitted"], "fitted on its own rows");
    let mean = all.iter().sum::<f64>() / 3.0;
    let spread = (all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
    assert_eq!(info["results"]["test"]["accuracy"].as_f64(), Some(mean));
    assert_eq!(info["folds"]["spread"]["test"]["accuracy"].as_f64(), Some(spread));
    assert!(mean > 0.85, "three species are learnt: {mean}");

    let said = stderr(&output);
    assert!(said.contains("fold 3 of 3\n") && said.contains("3 folds, into "), "{said}");
    let line =
        said.lines().find(|l| l.trim_start().starts_with("test   accuracy")).expect("a line of the table");
    assert!(line.contains(&format!("{mean:.4}  {spread:.4}")), "{line}");
}

#[test]
fn one_fold_alone_has_the_bits_it_has_among_all() {
    let folder = tempfile::tempdir().unwrap();
    assert!(train(folder.path(), FOLDED, &["--steps", "7"]).status.success());
    let second = yaml(&folder.path().join("run/fold-2"));
    assert_eq!(second["steps"].as_u64(), Some(7), "`--steps` is for each fold");
    let spec = folder.path().join("folded.mlspec").display().to_string();
    let alone = folder.path().join("alone");
    let out = alone.display().to_string();
    let set = ["--set", "iris.split.fold=2", "--steps", "7"];
    run(&[&["train", &spec, "--data", "specs", "--out", &out], &set[..]].concat());
    assert_eq!(yaml(&alone)["weights_hash"], second["weights_hash"]);
    // And a fold's run can be run again by itself.
    let (fold, again) = (folder.path().join("run/fold-2"), folder.path().join("again"));
    run(&["train", "--like", &fold.display().to_string(), "--out", &again.display().to_string()]);
    assert_eq!(yaml(&again)["weights_hash"], second["weights_hash"]);
    assert!(!again.join("fold-1").exists());
}

#[test]
fn a_watcher_of_json_sees_each_fold_and_the_means() {
    let folder = tempfile::tempdir().unwrap();
    let output = train(folder.path(), FOLDED, &["--steps", "3", "--progress", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|l| serde_json::from_str(l).expect("a line of JSON")).collect();
    let events: Vec<&str> = lines.iter().map(|l| l["event"].as_str().unwrap()).collect();
    assert_eq!(events.iter().filter(|e| **e == "fold").count(), 3);
    assert_eq!(events.iter().filter(|e| **e == "end").count(), 3);
    let last = lines.last().unwrap();
    assert_eq!((last["event"].as_str(), last["finished"].as_str()), (Some("folds"), Some("complete")));
    assert!(last["mean"]["test"]["accuracy"].is_f64() && last["folds"]["spread"]["test"]["loss"].is_f64());
}

#[test]
fn folds_that_cannot_be_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let group = FOLDED.replace("stratify = species", "group = species").replace("kfold = 3", "kfold = 4");
    let output = train(folder.path(), &group, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("3 groups of rows cannot fill 4 parts"), "{}", stderr(&output));
    assert!(!folder.path().join("run").exists());
}

#[test]
fn plan_and_bench_take_the_first_fold() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("folded.mlspec");
    fs::write(&file, FOLDED).unwrap();
    let file = file.display().to_string();
    assert!(run(&["plan", &file, "--data", "specs"]).contains("fc1"));
    let bench = run(&["bench", &file, "--data", "specs", "--seconds", "0.05", "--json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&bench).is_ok());
}

/// One fold done, one stopped in the middle, one missing.
#[test]
fn a_run_of_folds_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    assert!(train(folder.path(), FOLDED, &[]).status.success());
    let whole = folder.path().join("run");
    let before = yaml(&whole);
    let half = whole.join("fold-2/run.yaml");
    let text = fs::read_to_string(&half).unwrap();
    fs::write(&half, text.replace("finished: complete", "finished: running")).unwrap();
    fs::remove_dir_all(whole.join("fold-2/checkpoints")).unwrap();
    fs::remove_dir_all(whole.join("fold-3")).unwrap();
    let run = whole.display().to_string();
    let output = mlc(&["train", "--resume", &run, "--data", "specs"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let after = yaml(&whole);
    for key in ["results", "folds", "steps", "finished"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    let longer = mlc(&["train", "--resume", &run, "--data", "specs", "--steps", "500"]);
    assert_eq!(longer.status.code(), Some(2), "{}", stderr(&longer));
}

#[cfg(unix)]
#[test]
fn an_interrupted_fold_is_saved_and_the_others_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("folded.mlspec");
    fs::write(&file, FOLDED.replace("epochs    = 20", "epochs    = 4000")).unwrap();
    let out = folder.path().join("run");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mlc"))
        .args(["train", &file.display().to_string(), "--data", "specs", "--out", &out.display().to_string()])
        .args(["--progress", "json"])
        .stdout(std::process::Stdio::null())
        .current_dir(crate::support::root())
        .spawn()
        .expect("mlc starts");
    let begun = || fs::metadata(out.join("fold-2/metrics.jsonl")).is_ok_and(|m| m.len() > 0);
    while !begun() {
        assert!(child.try_wait().unwrap().is_none(), "still training");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let kill = std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let info = yaml(&out);
    assert_eq!(info["finished"].as_str(), Some("interrupted"));
    assert_eq!(info["folds"]["done"].as_sequence().map(Vec::len), Some(1), "the second is not done");
    assert!(info["results"]["test"]["accuracy"].as_f64().is_some());
    assert_eq!(yaml(&out.join("fold-2"))["finished"].as_str(), Some("interrupted"));
    assert!(out.join("fold-2/model.safetensors").exists() && !out.join("fold-3").exists());
}
