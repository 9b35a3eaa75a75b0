//! `memory = …`: less memory, the same bits; what cannot fit is told before anything runs.

use crate::nets;
use crate::support::{Run, mlc, run, stderr};
use std::path::Path;

/// What `mlc plan` says of a spec's memory, with a limit in KiB or without.
fn memory(spec: &str, limit: Option<u64>, args: &[&str]) -> serde_json::Value {
    let set = limit.map(|kib| format!("train.memory={kib}KiB"));
    let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
    let text = run(&[&["plan", spec, "--json"], set.as_slice(), args].concat());
    let plan: serde_json::Value = serde_json::from_str(&text).expect("a plan is JSON");
    plan
}

fn number(plan: &serde_json::Value, path: [&str; 2]) -> u64 {
    plan[path[0]][path[1]].as_u64().unwrap_or_else(|| panic!("{path:?} of {plan}"))
}

/// Trains each small net as it is and with hardly more than it can do with; by net how much is made again.
pub fn trains_to_the_same_bits(total: [&str; 2], args: &[&str]) -> Vec<(&'static str, u64)> {
    let place = tempfile::tempdir().expect("a temporary folder");
    let of = |(name, spec): (&'static str, std::path::PathBuf)| {
        let spec = spec.display().to_string();
        let all = number(&memory(&spec, None, args), total);
        let least = number(&memory(&spec, Some(1), args), total);
        assert!(least <= all, "{name} takes no more for being limited");
        // Each program that comes has parameters too, so that the very least is known once all are there.
        let limit = (least + least / 20).div_ceil(1024);
        let plan = memory(&spec, Some(limit), args);
        let again = number(&plan, ["memory", "again"]);
        assert!(number(&plan, total) <= limit * 1024, "{name} keeps to {limit} KiB");
        let set = format!("train.memory={limit}KiB");
        let steps = [&["--steps", "12"], args].concat();
        let free = Run::train(&spec, &steps).weights_hash();
        let held = Run::train(&spec, &[steps.as_slice(), &["--set", &set]].concat()).weights_hash();
        assert_eq!(held, free, "{name} in {limit} KiB of {} KiB", all / 1024);
        (name, again)
    };
    nets::write(place.path()).into_iter().map(of).collect()
}

#[test]
fn less_memory_gives_the_same_bits() {
    let again = trains_to_the_same_bits(["memory", "total"], &["--threads", "2"]);
    assert!(again.iter().any(|(_, bytes)| *bytes > 0), "some net has to make values again: {again:?}");
}

fn layers(folder: &Path, memory: &str) -> String {
    let spec = folder.join("deep.mlspec");
    let text = format!(
        "mlspec 1

data made {{
  source = synthetic(images, height=8, width=8, channels=1, classes=10, rows=4096)
  split  {{ train = 100% }}
  batch  = 2048
}}

block Layer(x: f32[B, 64]) -> (y: f32[B, 64]) {{
  output y = x + (x |> Dense(64, activation=tanh) as fc)
}}

model Deep {{
  input image: f32[B, 8, 8, 1]
  output logits: f32[B, 10] = image |> Flatten |> repeat(16) Layer as h |> Dense(10) as out
}}

train {{
  feed      {{ image = made.image  label = made.label }}
  loss      = CrossEntropy(Deep.logits, label)
  optimizer = Adam(lr=1e-3)
  {memory}
  epochs    = 1
}}
"
    );
    std::fs::write(&spec, text).expect("the folder is writable");
    spec.display().to_string()
}

#[test]
fn a_deep_net_trains_in_half() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let spec = layers(folder.path(), "");
    let all = number(&memory(&spec, None, &[]), ["memory", "total"]);
    let free = Run::train(&spec, &[]).weights_hash();
    let spec = layers(folder.path(), &format!("memory = {}KiB", all / 2048));
    let plan = memory(&spec, None, &[]);
    assert!(number(&plan, ["memory", "total"]) <= all / 2 && number(&plan, ["memory", "again"]) > 0);
    assert!(run(&["plan", &spec]).contains("kept to, "), "the plan says so");
    assert_eq!(Run::train(&spec, &[]).weights_hash(), free);
}

#[test]
fn what_cannot_fit_is_told_with_what_it_takes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let spec = layers(folder.path(), "memory = 1MiB");
    let plan = run(&["plan", &spec]);
    assert!(plan.contains("not to be kept to"), "{plan}");
    let out = folder.path().join("run");
    let refused = mlc(&["train", &spec, "--out", &out.display().to_string()]);
    let told = stderr(&refused);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("mlc::run::limit") && told.contains("memory = 1MiB"), "{told}");
    assert!(!out.exists(), "nothing is left behind");
}
