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

/// Lines of `metrics.jsonl` less the time that they took.
fn records(folder: &Path, run: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join(run).join("metrics.jsonl")).expect("metrics.jsonl is there");
    let line = |line: &str| {
        let mut record: serde_json::Value = serde_json::from_str(line).expect("a line is one object");
        record.as_object_mut().expect("an object").remove("seconds");
        record
    };
    text.lines().map(line).collect()
}

fn checkpoints(folder: &Path, run: &str) -> Vec<String> {
    let entries = fs::read_dir(folder.join(run).join("checkpoints")).expect("there are checkpoints");
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// 40 steps are an epoch: stopped within one, at its end, and more than once.
#[test]
fn a_resumed_run_ends_at_the_same_bits() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let digits = spec("digits");
    for (name, more) in [
        ("plain", vec![]),
        (
            "schedule",
            vec!["--set", "train.schedule=cosine(warmup=10)", "--set", "train.clip=global_norm(1.0)"],
        ),
        ("averaged", vec!["--set", "train.ema=0.9", "--set", "train.accumulate=2"]),
        ("best", vec!["--set", "train.stop=EarlyStopping(patience=50, restore_best=true)"]),
    ] {
        let train = |out: &str, steps: &str, threads: &str| {
            let args = ["train", &digits, "--out", out, "--steps", steps, "--threads", threads];
            done(here, &[&args[..], &more].concat())
        };
        let whole = format!("{name}-whole");
        train(&whole, "130", "1");
        for (n, stops) in [vec!["23"], vec!["40", "41"], vec!["1", "79", "120"]].into_iter().enumerate() {
            let out = format!("{name}-{n}");
            train(&out, stops[0], "2");
            for (i, stop) in stops[1..].iter().chain(&["130"]).enumerate() {
                let threads = if i % 2 == 0 { "1" } else { "3" };
                done(here, &["train", "--resume", &out, "--steps", stop, "--threads", threads]);
            }
            assert_eq!(hash(here, &out), hash(here, &whole), "{name} stopped at {stops:?}");
            assert_eq!(records(here, &out), records(here, &whole), "{name} stopped at {stops:?}");
            let (resumed, whole) = (info(here, &out), info(here, &whole));
            assert_eq!(resumed["results"], whole["results"]);
            assert_eq!(resumed["weights_of"], whole["weights_of"]);
            assert_eq!(resumed["asked"]["steps"], 130);
            assert_eq!(resumed["resumed"].as_sequence().map(Vec::len), Some(stops.len()));
            let states = |run: &str| fs::read(here.join(run).join("optimizer.safetensors")).unwrap();
            assert_eq!(states(&out), states(&format!("{name}-whole")));
        }
    }
}

#[test]
fn a_complete_run_goes_on_for_longer() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    iris(here);
    done(here, &["train", "iris.mlspec", "--set", "train.epochs=9", "--out", "whole"]);
    done(here, &["train", "iris.mlspec", "--set", "train.epochs=4", "--out", "a"]);
    let told = refused(here, 2, &["train", "--resume", "a"]);
    assert!(told.contains("`a` has done 24 of 24 steps") && told.contains("--steps 48"), "{told}");
    done(here, &["train", "--resume", "a", "--set", "train.epochs=9"]);
    assert_eq!(hash(here, "a"), hash(here, "whole"));
    assert_eq!(records(here, "a"), records(here, "whole"));
    assert_eq!(info(here, "a")["finished"], "complete");
    // And the run is like one that was never stopped.
    done(here, &["train", "--like", "a", "--out", "b"]);
    assert_eq!(hash(here, "b"), hash(here, "whole"));
}

#[test]
fn another_training_is_not_gone_on_with() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    iris(here);
    done(here, &["train", "iris.mlspec", "--steps", "8", "--out", "a"]);
    let told = refused(here, 1, &["train", "--resume", "a", "--steps", "20", "--set", "train.seed=3"]);
    assert!(told.contains("mlc::run::resume") && told.contains("`seed = 3` was not there when"), "{told}");
    let text = fs::read_to_string(here.join("iris.mlspec")).unwrap();
    let other =
        text.replace("Dense(16", "Dense(32").replace("// Three", "// Many").replace("= 60\n", "= 90\n");
    fs::write(here.join("iris.mlspec"), other).unwrap();
    let told = refused(here, 1, &["train", "iris.mlspec", "--resume", "a", "--steps", "20"]);
    assert!(
        told.contains("Dense(32, ") && told.contains("Dense(16, ") && told.contains("iris.mlspec:17"),
        "{told}"
    );
    assert_eq!(told.matches("mlc::run::resume").count(), 1, "{told}");
    // Its own text in other words is the same training.
    fs::write(here.join("iris.mlspec"), text.replace("// Three", "// Many").replace("= 60\n", "= 90\n"))
        .unwrap();
    done(here, &["train", "iris.mlspec", "--resume", "a", "--steps", "20"]);
    let table = fs::read_to_string(here.join("data/iris.csv")).unwrap();
    fs::write(here.join("data/iris.csv"), table.replacen(",1.4,", ",1.5,", 1)).unwrap();
    let told = refused(here, 1, &["train", "--resume", "a", "--steps", "30"]);
    assert!(told.contains("mlc::run::changed") && told.contains("cannot go on with it"), "{told}");
    assert_eq!(info(here, "a")["steps"], 20);
}

#[test]
fn the_latest_checkpoints_and_the_best_stay() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let text = fs::read_to_string(root().join("specs/digits.mlspec")).unwrap();
    let text =
        text.replace("\"data/digits\"", &format!("\"{}\"", root().join("specs/data/digits").display()));
    let section = "  checkpoint { every = 15  keep = 2  best = valid.loss }\n  seed      = 42\n";
    let text = text.replace("  seed      = 42\n", section).replace("lr=2e-3", "lr=0.1");
    fs::write(here.join("a.mlspec"), text).unwrap();
    done(here, &["train", "a.mlspec", "--steps", "160", "--out", "a"]);
    let valid: Vec<(u64, f64)> = records(here, "a")
        .iter()
        .filter(|r| r["split"] == "valid")
        .map(|r| (r["step"].as_u64().unwrap(), r["loss"].as_f64().unwrap()))
        .collect();
    let steps: Vec<u64> = valid.iter().map(|v| v.0).collect();
    assert_eq!(steps, [15, 30, 45, 60, 75, 90, 105, 120, 135, 150, 160]);
    let best = valid[..10].iter().copied().reduce(|a, b| if b.1 < a.1 { b } else { a }).unwrap().0;
    assert!(best < 145, "the test wants an early best: {valid:?}");
    assert_eq!(checkpoints(here, "a"), [format!("{best:06}"), "000150".into(), "000160".into()]);
    // A run that forgot its last checkpoints goes on from the one before.
    fs::remove_dir_all(here.join("a/checkpoints/000160")).unwrap();
    fs::create_dir(here.join("a/checkpoints/000165.tmp")).unwrap();
    done(here, &["train", "--resume", "a", "--steps", "200"]);
    done(here, &["train", "a.mlspec", "--steps", "200", "--out", "whole"]);
    assert_eq!(hash(here, "a"), hash(here, "whole"));
    assert_eq!(records(here, "a"), records(here, "whole"));
    assert_eq!(checkpoints(here, "a"), checkpoints(here, "whole"));
}

/// Killed at any moment, a run has a checkpoint, or its start, to go on from.
#[cfg(unix)]
#[test]
fn a_killed_run_goes_on() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let text = fs::read_to_string(root().join("specs/digits.mlspec")).unwrap();
    let text =
        text.replace("\"data/digits\"", &format!("\"{}\"", root().join("specs/data/digits").display()));
    let section = "  checkpoint { every = 25  best = valid.accuracy }\n  seed      = 42\n";
    fs::write(here.join("a.mlspec"), text.replace("  seed      = 42\n", section)).unwrap();
    let begin = ["train", "a.mlspec", "--steps", "1500", "--out", "a"];
    let go_on = ["train", "--resume", "a"];
    let begun = || here.join("a/run.yaml").exists();
    let latest = || here.join("a/checkpoints").exists().then(|| checkpoints(here, "a").pop());
    let mut kills = 0;
    for round in 0..14u64 {
        if !begun() {
            let _ = fs::remove_dir_all(here.join("a"));
        }
        let args: &[&str] = if begun() { &go_on } else { &begin };
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlc"));
        command.args(args).env_remove("MLC_DATA").current_dir(here).stderr(std::process::Stdio::null());
        let before = latest();
        let mut child = command.spawn().expect("mlc starts");
        // The first rounds end anywhere in the start; later ones some time after the next checkpoint was begun.
        while round > 4 && latest() == before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(if round > 4 {
            round * 7 % 19
        } else {
            15 * round
        }));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    if info(here, "a")["finished"] == "running" {
        done(here, &go_on);
    }
    assert!(kills > 2, "it was killed {kills} times");
    done(here, &["train", "a.mlspec", "--steps", "1500", "--out", "whole"]);
    assert_eq!(hash(here, "a"), hash(here, "whole"));
    assert_eq!(records(here, "a"), records(here, "whole"));
    assert_eq!(checkpoints(here, "a"), checkpoints(here, "whole"));
    assert_eq!(info(here, "a")["finished"], "complete");
}

/// Starts a long training, waits for its first lines and sends it a signal.
#[cfg(unix)]
fn interrupted(here: &Path, args: &[&str], out: &str) -> Output {
    use std::process::Stdio;
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlc"));
    command.args(args).env_remove("MLC_DATA").current_dir(here).stderr(Stdio::null());
    let mut child = command.stdout(Stdio::null()).spawn().expect("mlc starts");
    let log = here.join(out).join("metrics.jsonl");
    while !fs::metadata(&log).is_ok_and(|m| m.len() > 0) {
        assert!(child.try_wait().unwrap().is_none(), "still training");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let told = refused(here, 2, &["train", "--resume", out]);
    assert!(told.contains("another process trains in"), "{told}");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let digits = spec("digits");
    let length = ["--set", "train.epochs=100000"];
    let args = [&["train", &digits, "--out", "a"], &length[..]].concat();
    assert_eq!(interrupted(here, &args, "a").status.code(), Some(130));
    let stopped = info(here, "a");
    assert_eq!(stopped["finished"], "interrupted");
    let steps = stopped["steps"].as_u64().unwrap();
    assert_eq!(checkpoints(here, "a"), [format!("{steps:06}")]);
    let until = (steps + 57).to_string();
    done(here, &["train", "--resume", "a", "--steps", &until]);
    done(here, &[&["train", &digits, "--out", "whole", "--steps", &until], &length[..]].concat());
    assert_eq!(hash(here, "a"), hash(here, "whole"));
}

#[test]
fn an_evaluation_is_that_of_training_to_the_bit() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    iris(here);
    let best = "train.stop=EarlyStopping(patience=9, restore_best=true)";
    done(here, &["train", "iris.mlspec", "--set", best, "--set", "train.optimizer.lr=0.1", "--out", "a"]);
    let eval = |more: &[&str]| {
        let output = mlc_in(here, &[&["eval", "a", "--json"], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        (json, text)
    };
    let results = info(here, "a")["results"].clone();
    for split in ["valid", "test"] {
        let (report, text) = eval(&["--split", split, "--threads", "1"]);
        // As text: the reader of the tests rounds.
        for metric in ["loss", "accuracy"] {
            let value = results[split][metric].as_f64().unwrap();
            assert!(text.contains(&format!("\"{metric}\":{value:?}")), "{metric} {value:?}: {text}");
        }
        assert_eq!(report["weights_hash"].as_str(), Some(hash(here, "a").as_str()));
        assert_eq!(report["rows"], 30);
    }
    assert_eq!(eval(&[]).0["split"], "test");
    assert_eq!(eval(&["--split", "train"]).0["rows"], 90);
    let told = mlc_in(here, &["eval", "a"]);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.starts_with("test   loss ") && told.contains("(30 rows, weights of step "), "{told}");

    // Weights of another net are refused, and what has no rows.
    let text = fs::read_to_string(here.join("iris.mlspec")).unwrap();
    fs::write(here.join("b.mlspec"), text.replace("test = 20%", "")).unwrap();
    done(here, &["train", "b.mlspec", "--steps", "1", "--out", "b"]);
    let told = refused(here, 1, &["eval", "b", "--split", "test"]);
    assert!(told.contains("mlc::run::no_rows"), "{told}");
    done(here, &["train", &spec("xor"), "--steps", "1", "--out", "x"]);
    fs::copy(here.join("x/model.safetensors"), here.join("a/model.safetensors")).unwrap();
    let told = refused(here, 1, &["eval", "a"]);
    assert!(told.contains("mlc::run::weights"), "{told}");
    fs::remove_file(here.join("a/model.safetensors")).unwrap();
    refused(here, 2, &["eval", "a"]);
}

/// A folder in the place of a file stands for a disk that fails.
#[test]
fn a_run_that_failed_says_how_to_go_on() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    iris(here);
    done(here, &["train", "iris.mlspec", "--steps", "8", "--out", "a"]);
    fs::create_dir(here.join("a/model.safetensors.tmp")).unwrap();
    let told = refused(here, 2, &["train", "--resume", "a", "--steps", "20"]);
    assert!(told.contains("`mlc train --resume a` goes on from step 20"), "{told}");
    assert_eq!(info(here, "a")["finished"], "failed");
    fs::remove_dir(here.join("a/model.safetensors.tmp")).unwrap();
    done(here, &["train", "--resume", "a"]);
    done(here, &["train", "iris.mlspec", "--steps", "20", "--out", "whole"]);
    assert_eq!(hash(here, "a"), hash(here, "whole"));
    assert_eq!(records(here, "a"), records(here, "whole"));
}

#[test]
fn a_plan_counts_checkpoints() {
    let plan = |set: &[&str]| {
        let more: Vec<&str> = set.iter().flat_map(|s| ["--set", s]).collect();
        let text = crate::support::run(&[&["plan", &spec("digits"), "--json"], &more[..]].concat());
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json
    };
    let number = |json: &serde_json::Value, path: &str| json.pointer(path).and_then(|n| n.as_u64()).unwrap();
    let plain = plan(&[]);
    // Adam has two states for each weight.
    let weights = 4 * number(&plain, "/parameters");
    assert_eq!(number(&plain, "/disk/checkpoint"), 3 * weights);
    assert_eq!(number(&plain, "/memory/best"), 0);
    let choosing = plan(&["train.stop=EarlyStopping(restore_best=true)"]);
    assert_eq!(number(&choosing, "/disk/checkpoint"), 4 * weights);
    assert_eq!(number(&choosing, "/memory/best"), weights);
    assert_eq!(number(&choosing, "/memory/total"), number(&plain, "/memory/total") + weights);
}

#[test]
fn steps_are_logged_as_often_as_is_said() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    iris(here);
    let text = fs::read_to_string(here.join("iris.mlspec")).unwrap();
    fs::write(here.join("a.mlspec"), text.replace("  epochs ", "  log       { every = 4 }\n  epochs "))
        .unwrap();
    done(here, &["train", "a.mlspec", "--steps", "14", "--out", "a"]);
    let steps: Vec<u64> = records(here, "a")
        .iter()
        .filter(|r| r["of"] == "step")
        .map(|r| r["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [4, 8, 12]);
    // The twin for TensorBoard holds as many values as the log, the metric beside the loss, behind its first record.
    let events = fs::read(here.join("a/events.out.tfevents.mlc")).unwrap();
    let (mut at, mut count) = (0, 0);
    while at < events.len() {
        let length = u64::from_le_bytes(events[at..at + 8].try_into().unwrap());
        at += 16 + length as usize;
        count += 1;
    }
    assert_eq!(at, events.len());
    let values: usize = records(here, "a").iter().map(|r| 1 + r["metrics"].as_object().unwrap().len()).sum();
    assert_eq!(count, 1 + values);
    // A run that goes on goes on there, too, and what is logged may change.
    done(here, &["train", "a.mlspec", "--steps", "9", "--out", "b"]);
    done(here, &["train", "--resume", "b", "--steps", "14"]);
    let other = fs::read(here.join("b/events.out.tfevents.mlc")).unwrap();
    assert_eq!(other.len(), events.len());
    done(here, &["train", "--resume", "b", "--steps", "20", "--set", "train.log.every=1"]);
}
