//! Runs as people start them: the same bits, run directories, problems on the way.

use crate::support::{stderr, stdout};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn spec(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "specs", name].iter().collect();
    path.display().to_string()
}

fn mlc(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mlc")).args(args).output().expect("mlc starts")
}

/// Trains into `out` and gives the hash of the final weights.
fn train(spec_name: &str, out: &Path, more: &[&str]) -> String {
    let (file, out_text) = (spec(spec_name), out.display().to_string());
    let output = mlc(&[&["train", &file, "--out", &out_text], more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let yaml = run_yaml(out);
    let hash = yaml["weights_hash"].as_str().expect("run.yaml has the hash").to_string();
    assert!(stderr(&output).contains(&format!("weights {hash}\n")), "the hash is printed");
    hash
}

fn run_yaml(out: &Path) -> serde_yaml::Value {
    let text = fs::read_to_string(out.join("run.yaml")).expect("run.yaml is there");
    serde_yaml::from_str(&text).expect("run.yaml is YAML")
}

fn metrics(out: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(out.join("metrics.jsonl")).expect("metrics.jsonl is there");
    text.lines().map(|l| serde_json::from_str(l).expect("a line of JSON")).collect()
}

#[test]
fn two_runs_and_any_number_of_threads_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["line.mlspec", "xor.mlspec", "iris.mlspec", "digits.mlspec"] {
        let hash = |n: usize, threads: &str| {
            let out = folder.path().join(format!("{name}-{n}"));
            train(name, &out, &["--steps", "200", "--threads", threads])
        };
        let first = hash(0, "1");
        for (n, threads) in ["1", "2", "3"].into_iter().enumerate() {
            assert_eq!(hash(n + 1, threads), first, "{name} with {threads} threads");
        }
        let models: Vec<Vec<u8>> = (0..2)
            .map(|n| fs::read(folder.path().join(format!("{name}-{n}/model.safetensors"))).unwrap())
            .collect();
        assert_eq!(models[0], models[1], "the files too");
    }
}

#[test]
fn a_run_directory_tells_everything() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("iris");
    train("iris.mlspec", &out, &["--set", "train.epochs=3"]);
    let yaml = run_yaml(&out);
    assert_eq!(yaml["finished"].as_str(), Some("complete"));
    assert_eq!(yaml["sizes"]["iris.species.classes"].as_i64(), Some(3));
    let lines = metrics(&out);
    let of = |split: &str, scope: &str| {
        lines.iter().filter(|l| l["split"] == split && l["of"] == scope).collect::<Vec<_>>()
    };
    assert_eq!(
        (of("train", "epoch").len(), of("valid", "epoch").len(), of("test", "epoch").len()),
        (3, 3, 1)
    );
    assert_eq!(of("train", "step").len() as u64, yaml["steps"].as_u64().unwrap());
    assert_eq!(lines.last().unwrap()["split"], "test");
    for line in &lines {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        for key in ["step", "epoch", "split", "loss", "metrics", "seconds"] {
            assert!(keys.iter().any(|k| *k == key), "{line}");
        }
    }
    assert!(of("valid", "epoch")[0]["metrics"]["accuracy"].as_f64().is_some());

    let bytes = fs::read(out.join("model.safetensors")).unwrap();
    let model = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names: Vec<String> = model.names().iter().map(|n| n.to_string()).collect();
    names.sort();
    assert_eq!(names, ["fc1.bias", "fc1.weight", "out.bias", "out.weight"]);
    let states = fs::read(out.join("optimizer.safetensors")).unwrap();
    let (_, about) = safetensors::SafeTensors::read_metadata(&states).unwrap();
    assert_eq!(about.metadata().as_ref().unwrap()["step"], yaml["steps"].as_u64().unwrap().to_string());
}

#[test]
fn first_weights_can_be_written_and_started_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let start = train("iris.mlspec", &path("start"), &["--steps", "0"]);
    let file = path("start").join("model.safetensors").display().to_string();
    let plain = train("iris.mlspec", &path("plain"), &["--steps", "9"]);
    assert_eq!(train("iris.mlspec", &path("again"), &["--steps", "9", "--init", &file]), plain);
    let other = train("iris.mlspec", &path("other"), &["--steps", "0", "--set", "train.seed=9"]);
    assert_ne!(other, start);
    let from =
        train("iris.mlspec", &path("from"), &["--steps", "0", "--set", "train.seed=9", "--init", &file]);
    assert_eq!(from, start);

    let wrong =
        mlc(&["train", &spec("xor.mlspec"), "--init", &file, "--out", &path("x").display().to_string()]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("mlc::run::weights"), "{}", stderr(&wrong));
}

#[test]
fn a_run_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    train("xor.mlspec", folder.path(), &["--steps", "1"]);
    let again = mlc(&["train", &spec("xor.mlspec"), "--out", &folder.path().display().to_string()]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("is not empty"), "{}", stderr(&again));

    let here = tempfile::tempdir().unwrap();
    for n in 1..=2 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlc"));
        command.args(["train", &spec("xor.mlspec"), "--steps", "1"]).current_dir(here.path());
        assert!(command.output().unwrap().status.success());
        assert!(here.path().join(format!("runs/xor-{n}/run.yaml")).exists());
    }
}

/// An `op` that divides by what becomes 0: no learning rate helps, and the run says where it ended.
const DIVIDES_BY_ZERO: &str = "mlspec 1

data points {
  source = synthetic(line, features=1, rows=8)
  split  { train = 100% }
  batch  = 4
}

model Line {
  input x: f32[B, 1]
  output y: f32[B] = x |> Dense(1) as line |> Squeeze
}

train {
  feed      { x = points.x  y = points.y }
  loss      = MeanSquaredError(Line.y, y)
  optimizer = SGD(lr=1e25)
  epochs    = 9
}
";

#[test]
fn a_loss_that_is_not_finite_stops_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.mlspec");
    fs::write(&file, DIVIDES_BY_ZERO).unwrap();
    let out = folder.path().join("run");
    let output = mlc(&["train", &file.display().to_string(), "--out", &out.display().to_string()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stderr(&output);
    assert!(text.contains("mlc::run::not_finite") && text.contains("at step "), "{text}");
    assert_eq!(run_yaml(&out)["finished"].as_str(), Some("not finite"));
    assert!(out.join("model.safetensors").exists());
    assert_eq!(metrics(&out).last().unwrap()["loss"], serde_json::Value::Null);
}

/// 0.1 is an `f32` on the way, and a tenth of that has many digits.
#[test]
fn the_rate_to_try_is_a_round_number() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.mlspec");
    let text = DIVIDES_BY_ZERO.replace("(Line.y, y)", "(Line.y, y) * 1e30").replace("lr=1e25", "lr=0.1");
    fs::write(&file, text).unwrap();
    let out = folder.path().join("run");
    let output = mlc(&["train", &file.display().to_string(), "--out", &out.display().to_string()]);
    assert!(stderr(&output).contains("try `lr=0.01`;"), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_after_the_step_with_everything_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = Command::new(env!("CARGO_BIN_EXE_mlc"))
        .args(["train", &spec("xor.mlspec"), "--set", "train.epochs=100000000"])
        .args(["--out", &out.display().to_string(), "--progress", "plain"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("mlc starts");
    // Nobody reads on while it runs: a full pipe would stop it.
    let mut report = child.stderr.take().unwrap();
    let said = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut report, &mut text).map(|_| text)
    });
    let started = || fs::metadata(out.join("metrics.jsonl")).is_ok_and(|m| m.len() > 0);
    while !started() {
        assert!(child.try_wait().unwrap().is_none(), "still training");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // A key may bounce: the second signal is not to cut off what the first one saves.
    let pid = child.id();
    let kill =
        Command::new("sh").args(["-c", &format!("kill -INT {pid}; kill -INT {pid}")]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let said = said.join().unwrap().unwrap();
    assert!(said.contains(&format!("go on with `mlc train --resume {}`\n", out.display())), "{said}");
    let left = fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
    let yaml = run_yaml(&out);
    assert_eq!(yaml["finished"].as_str(), Some("interrupted"));
    assert!(yaml["steps"].as_u64().unwrap() > 0);
    assert!(out.join("model.safetensors").exists() && out.join("optimizer.safetensors").exists());
}

#[test]
fn progress_can_be_json() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let output = mlc(&["train", &spec("xor.mlspec"), "--steps", "3", "--out", &out, "--progress", "json"]);
    let text = stdout(&output);
    let events: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().filter_map(|e| e["event"].as_str()).collect();
    // Three epochs of one step each, and the test split once at the end.
    assert_eq!(kinds, ["begin", "epoch", "epoch", "epoch", "epoch", "end"]);
    assert_eq!(events[0]["parameters"], 33);
}

#[test]
fn plan_and_bench_have_json() {
    let output = mlc(&["plan", &spec("digits.mlspec"), "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(plan["parameters"], 64 * 128 + 128 + 128 * 10 + 10);
    assert_eq!(plan["forward_flops"], 2 * 32 * (64 * 128 + 128 * 10));
    let flops = |i: usize| plan["layers"][i]["flops"].as_u64().unwrap();
    let layers: u64 = (0..plan["layers"].as_array().unwrap().len()).map(flops).sum();
    assert_eq!(plan["forward_flops"].as_u64(), Some(layers));

    let output = mlc(&["bench", &spec("digits.mlspec"), "--json", "--seconds", "0.1", "--batch", "16"]);
    let bench: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(bench["batch"], 16);
    for field in
        "version work threads params step_ms p10 p90 best_ms samples_per_s gflops loss_first loss_last steps"
            .split(' ')
    {
        assert!(!bench[field].is_null(), "{field}");
    }
    let kernels = mlc(&["bench", &spec("digits.mlspec"), "--json", "--seconds", "0.1", "--kernels"]);
    let kernels: serde_json::Value = serde_json::from_str(&stdout(&kernels)).unwrap();
    let all = kernels["kernels"].as_array().unwrap();
    let ms = |kernel: &serde_json::Value| kernel["ms"].as_f64().unwrap();
    assert!(all.is_sorted_by(|a, b| ms(a) >= ms(b)), "the most expensive first: {all:?}");
    let product = all.iter().find(|kernel| kernel["what"].as_str().unwrap().starts_with("product")).unwrap();
    assert!(product["gflops"].as_f64().unwrap() > 0.0, "{product}");
    let together: f64 = all.iter().map(ms).sum();
    // Kernel by kernel a step is slower, and the machine may be busy with other things meanwhile.
    assert!(together > 0.1 * kernels["best_ms"].as_f64().unwrap(), "{together} of {}", kernels["best_ms"]);
    let text = mlc(&["bench", &spec("digits.mlspec"), "--seconds", "0.1", "--kernels"]);
    assert!(stdout(&text).contains("GFLOP/s  times"), "{}", stdout(&text));
}

/// A plan is asked for most when the answer is no, and a batch never holds more than all rows.
#[test]
fn what_does_not_fit_is_said_and_not_tried() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(spec("line.mlspec")).unwrap();
    let wide =
        text.replace("Dense(1) as line", "Dense(2000000) as a |> Dense(2000000) as b |> Dense(1) as line");
    let file = folder.path().join("wide.mlspec").display().to_string();
    std::fs::write(&file, wide).unwrap();
    let plan = mlc(&["plan", &file]);
    assert!(plan.status.success() && stdout(&plan).contains("TiB"), "{}", stdout(&plan));
    let out = folder.path().join("wide").display().to_string();
    let output = mlc(&["train", &file, "--out", &out]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("mlc::run::memory"));

    let hash = |batch: &str| {
        let out = folder.path().join(batch).display().to_string();
        let set = format!("points.batch={batch}");
        assert!(mlc(&["train", &spec("line.mlspec"), "--set", &set, "--out", &out]).status.success());
        run_yaml(std::path::Path::new(&out))["weights_hash"].as_str().unwrap().to_string()
    };
    assert_eq!(hash("160"), hash("4611686018427387905"));
}
