//! The life of a run: what its directory holds, runs again, is taken up again.

use crate::support::{root, spec, stderr};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The binary in a folder of its own, so that runs without `--out` go there.
fn mlc_in(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlc"));
    command.args(args).env_remove("MLC_DATA").current_dir(folder).output().expect("mlc starts")
}

/// Runs it, and it must succeed; gives what it said.
fn done(folder: &Path, args: &[&str]) -> String {
    let output = mlc_in(folder, args);
    assert!(output.status.success(), "mlc {}\n{}", args.join(" "), stderr(&output));
    stderr(&output)
}

/// Runs it, and it must fail with this code; gives what it said.
fn refused(folder: &Path, code: i32, args: &[&str]) -> String {
    let output = mlc_in(folder, args);
    assert_eq!(output.status.code(), Some(code), "mlc {}\n{}", args.join(" "), stderr(&output));
    stderr(&output)
}

fn info(folder: &Path, run: &str) -> serde_yaml::Value {
    let text = fs::read_to_string(folder.join(run).join("run.yaml")).expect("run.yaml is there");
    serde_yaml::from_str(&text).expect("run.yaml is YAML")
}

fn hash(folder: &Path, run: &str) -> String {
    info(folder, run)["weights_hash"].as_str().expect("the run has ended").to_string()
}

#[test]
fn a_run_directory_trains_again() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    done(here, &["train", &spec("digits"), "--variant", "tiny", "--set", "digits.batch=50", "--steps", "40"]);
    let first = info(here, "runs/digits-1");
    assert_eq!(first["format"], 1);
    assert_eq!(first["finished"], "complete");
    assert_eq!(first["asked"]["set"][0], "digits.batch=50");
    assert_eq!(
        fs::read(here.join("runs/digits-1/spec.mlspec")).unwrap(),
        fs::read(root().join("specs/digits.mlspec")).unwrap()
    );

    done(here, &["train", "--like", "runs/digits-1", "--threads", "1"]);
    assert_eq!(hash(here, "runs/digits-2"), hash(here, "runs/digits-1"));
    let again = info(here, "runs/digits-2");
    assert_eq!(again["asked"], first["asked"]);
    assert_eq!(again["data"], first["data"]);
    // What is said now goes over what was said then, and a run like a run is a run.
    done(here, &["train", "--like", "runs/digits-2", "--set", "digits.batch=40", "--out", "other"]);
    assert_eq!(info(here, "other")["batch"], 40);
    assert_ne!(hash(here, "other"), hash(here, "runs/digits-1"));
    done(here, &["train", "--like", "other", "--set", "digits.batch=50", "--out", "back"]);
    assert_eq!(hash(here, "back"), hash(here, "runs/digits-1"));
}

#[test]
fn the_lesson_trains_again() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    done(here, &["train", "--steps", "10"]);
    done(here, &["train", "--like", "runs/digits-1"]);
    assert_eq!(hash(here, "runs/digits-2"), hash(here, "runs/digits-1"));
}

/// A copy of the iris spec and its table that may be changed.
fn iris(here: &Path) {
    fs::create_dir_all(here.join("data")).unwrap();
    for file in ["iris.mlspec", "data/iris.csv"] {
        fs::copy(root().join("specs").join(file), here.join(file)).unwrap();
    }
}

#[test]
fn other_data_than_then_are_told() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    iris(here);
    done(here, &["train", "iris.mlspec", "--steps", "5"]);
    // The spec may change: the run has its own text.
    fs::write(here.join("iris.mlspec"), "mlspec 1\n").unwrap();
    assert!(!done(here, &["train", "--like", "runs/iris-1"]).contains("warning"));
    assert_eq!(hash(here, "runs/iris-2"), hash(here, "runs/iris-1"));
    let table = fs::read_to_string(here.join("data/iris.csv")).unwrap();
    fs::write(here.join("data/iris.csv"), table.replacen(",1.4,", ",1.5,", 1)).unwrap();
    let told = done(here, &["train", "--like", "runs/iris-1"]);
    assert!(told.contains("mlc::run::changed") && told.contains("iris.csv` is not what it was"), "{told}");
    // Weights to start from are data too.
    done(here, &["train", "--like", "runs/iris-1", "--init", "runs/iris-1/model.safetensors"]);
    fs::copy(here.join("runs/iris-3/model.safetensors"), here.join("runs/iris-1/model.safetensors")).unwrap();
    let told = done(here, &["train", "--like", "runs/iris-4"]);
    assert!(told.contains("model.safetensors` is not what it was"), "{told}");
}

#[test]
fn what_cannot_be_run_leaves_nothing_behind() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    iris(here);
    let bad = fs::read_to_string(here.join("iris.mlspec")).unwrap();
    fs::write(here.join("bad.mlspec"), bad.replace("Adam(", "Adamm(")).unwrap();
    refused(here, 1, &["train", "bad.mlspec"]);
    refused(here, 1, &["train", "iris.mlspec", "--set", "iris.batch=none"]);
    fs::write(here.join("weights"), "no weights").unwrap();
    refused(here, 1, &["train", "iris.mlspec", "--init", "weights"]);
    refused(here, 2, &["train", "iris.mlspec", "--init", "nowhere"]);
    fs::write(here.join("data/iris.csv"), "3,4\n1,2\n").unwrap();
    refused(here, 1, &["train", "iris.mlspec"]);
    refused(here, 1, &["train", "iris.mlspec", "--out", "named"]);
    assert!(!here.join("runs").exists() && !here.join("named").exists());
    let told = refused(here, 2, &["train", "--like", "data"]);
    assert!(told.contains("`data` is no run, for it has no run.yaml: name a folder"), "{told}");
}
