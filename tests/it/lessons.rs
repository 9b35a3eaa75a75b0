//! The lessons train to what they promise, with the same bits every time.

use crate::support::{Run, large_data, run, spec};

#[test]
fn digits_reach_95_percent() {
    let accuracy = Run::train(&spec("digits"), &[]).test_metric("accuracy");
    assert!(accuracy >= 0.95, "test accuracy {accuracy}");
}

#[test]
fn eight_kernels_read_digits() {
    let accuracy = Run::train(&spec("digits_cnn"), &[]).test_metric("accuracy");
    assert!(accuracy >= 0.95, "test accuracy {accuracy}");
}

#[test]
fn convolutions_give_the_same_bits() {
    same_bits("digits_cnn", &["--variant", "tiny"]);
}

/// A lone binary has something to train.
#[test]
fn without_a_spec_the_digits_are_trained() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run");
    run(&["train", "--out", &out.display().to_string()]);
    let built_in = std::fs::read(out.join("model.safetensors")).expect("the weights are there");
    let lesson = Run::train(&spec("digits"), &[]);
    assert!(built_in == std::fs::read(lesson.file("model.safetensors")).expect("the weights are there"));
}

#[test]
fn xor_is_solved_exactly() {
    assert_eq!(Run::train(&spec("xor"), &[]).test_metric("accuracy"), 1.0);
}

#[test]
fn the_line_is_found() {
    let run = Run::train(&spec("line"), &[]);
    let last = run.records().pop().expect("a record of the last epoch");
    // The noise has a spread of 0.1; what is left beyond it is the model's.
    let rmse = last["metrics"]["rmse"].as_f64().expect("rmse is a number");
    assert!(rmse < 0.13, "{last}");
}

#[test]
fn iris_are_told_apart() {
    let accuracy = Run::train(&spec("iris"), &[]).test_metric("accuracy");
    assert!(accuracy >= 0.9, "test accuracy {accuracy}");
}

#[test]
fn two_heads_learn_both_questions_and_report_each_term() {
    let run = Run::train(&spec("two_heads"), &[]);
    let accuracy = run.test_metric("accuracy");
    assert!(accuracy >= 0.9, "test accuracy {accuracy}");
    // In cm, as the file has it; a guess of the mean is off by 0.43 of them. The loss is of what is scaled.
    let rmse = run.test_metric("rmse");
    assert!(rmse < 0.36, "rmse {rmse}");
    let square = run.test_metric("loss.sepal_width");
    let unit = rmse / square.sqrt();
    assert!((0.4..0.47).contains(&unit), "{square} is the square of {rmse} over the spread");
    let records = run.records();
    let test = records.iter().find(|r| r["split"] == "test").expect("the test is recorded");
    let total = run.test_metric("loss.species") + 0.3 * square;
    assert!((test["loss"].as_f64().expect("a loss") - total).abs() < 1e-6, "{test}");
}

/// Two runs, and one, two and three threads: one hash of the final weights.
fn same_bits(name: &str, args: &[&str]) {
    let hash =
        |threads: &str| Run::train(&spec(name), &[args, &["--threads", threads]].concat()).weights_hash();
    let first = hash("2");
    for threads in ["2", "1", "3"] {
        assert_eq!(hash(threads), first, "{name} with {threads} threads");
    }
}

#[test]
fn the_small_lessons_give_the_same_bits() {
    for name in ["line", "xor", "iris", "digits"] {
        same_bits(name, &[]);
    }
}

#[test]
fn mnist_gives_the_same_bits() {
    let Some(data) = large_data("mnist_gives_the_same_bits") else { return };
    same_bits("mnist", &["--data", &data, "--set", "train.epochs=1"]);
}

#[test]
fn another_seed_gives_other_bits() {
    let hash = |seed: &str| Run::train(&spec("iris"), &["--set", seed]).weights_hash();
    assert_ne!(hash("train.seed=1"), hash("train.seed=2"));
}

/// The most that a whole MNIST run may hold at once, its data included.
const PEAK_MIB: u64 = 250;

#[cfg(target_os = "linux")]
#[test]
fn mnist_stays_small() {
    let Some(data) = large_data("mnist_stays_small") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run").display().to_string();
    let spec = spec("mnist");
    let args = ["train", &spec, "--data", &data, "--set", "train.epochs=1", "--out", &out];
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mlc"))
        .args(args)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("mlc starts");
    // The kernel keeps the peak; it is read until the process is gone.
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("mlc can be waited for").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) / 1024);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    println!("mnist: peak {peak} MiB");
    assert!(folder.path().join("run/model.safetensors").exists());
    assert!((20..PEAK_MIB).contains(&peak), "peak {peak} MiB");
}
