//! What tests from outside share: the binary, the specs, the large data.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The path of a lesson.
pub fn spec(name: &str) -> String {
    root().join("specs").join(format!("{name}.mlspec")).display().to_string()
}

/// The binary, with the small data alone.
pub fn mlc(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mlc"))
        .args(args)
        .env_remove("MLC_DATA")
        .current_dir(root())
        .output()
        .expect("mlc starts")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("mlc prints text")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("mlc prints text")
}

/// [`mlc`], and it must succeed; gives what it printed.
pub fn run(args: &[&str]) -> String {
    let output = mlc(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "mlc {}\n{error}", args.join(" "));
    stdout(&output)
}

/// Tells of a test that could not run, on the terminal itself: what a passing test prints is kept from it.
pub fn skipped(test: &str, wants: &str) {
    let line = format!("skipped: {test} wants {wants}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
}

/// The folder of the large data, if there is one.
///
/// # Panics
/// If there is none and `MLC_REQUIRE_DATA=1`.
pub fn large_data(test: &str) -> Option<String> {
    let folder = std::env::var("MLC_DATA").ok().filter(|f| Path::new(f).join("mnist").is_dir());
    if folder.is_none() {
        let required = std::env::var("MLC_REQUIRE_DATA").is_ok_and(|v| v == "1");
        assert!(!required, "{test} wants MNIST in MLC_DATA");
        skipped(test, "MNIST in MLC_DATA");
    }
    folder
}

/// A finished run.
pub struct Run {
    pub folder: tempfile::TempDir,
}

impl Run {
    /// Trains a spec with further arguments.
    pub fn train(spec: &str, args: &[&str]) -> Run {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("run").display().to_string();
        run(&[&["train", spec, "--progress", "plain", "--out", &out], args].concat());
        Run { folder }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("run").join(name)
    }

    /// The hash of the final weights.
    pub fn weights_hash(&self) -> String {
        let text = std::fs::read_to_string(self.file("run.yaml")).expect("run.yaml is there");
        let line = text.lines().find_map(|l| l.strip_prefix("weights_hash: "));
        line.expect("run.yaml names the hash of the weights").to_string()
    }

    /// The lines of `metrics.jsonl`.
    pub fn records(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.file("metrics.jsonl")).expect("metrics.jsonl is there");
        text.lines().map(|l| serde_json::from_str(l).expect("a line is one object")).collect()
    }

    /// The numbers of a tensor in a safetensors file of the run.
    pub fn tensor(&self, file: &str, name: &str) -> Vec<f32> {
        let bytes = std::fs::read(self.file(file)).expect("the file is there");
        let all = safetensors::SafeTensors::deserialize(&bytes).expect("the file is safetensors");
        let tensor = all.tensor(name).unwrap_or_else(|_| panic!("{file} has {name}"));
        tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }

    /// A metric of the test split, which is evaluated once, at the end.
    pub fn test_metric(&self, name: &str) -> f64 {
        let records = self.records();
        let tests: Vec<_> = records.iter().filter(|r| r["split"] == "test").collect();
        assert_eq!(tests.len(), 1, "the test split is evaluated once");
        tests[0]["metrics"][name].as_f64().unwrap_or_else(|| panic!("{name} of the test split: {}", tests[0]))
    }

    /// What `run.yaml` tells of a metric of the test split: of all folds the mean.
    pub fn test_result(&self, name: &str) -> f64 {
        self.result("test", name)
    }

    /// What `run.yaml` tells of a metric of a split.
    pub fn result(&self, split: &str, name: &str) -> f64 {
        let text = std::fs::read_to_string(self.file("run.yaml")).expect("run.yaml is there");
        let info: serde_yaml::Value = serde_yaml::from_str(&text).expect("run.yaml is YAML");
        let result = &info["results"][split][name];
        result.as_f64().unwrap_or_else(|| panic!("{name} of the {split} split: {result:?}"))
    }
}
