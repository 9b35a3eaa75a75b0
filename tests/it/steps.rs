//! Several steps on a batch: the same bits after a stop, and what is told of each.

use crate::support::{Run, mlc, root, run, stderr};
use std::path::Path;

fn data() -> String {
    root().join("specs").display().to_string()
}

/// Two players on drawn noise; the generator learns on every other batch.
fn gan(folder: &Path, more: &str) -> String {
    let text = std::fs::read_to_string(root().join("tests/goldens/gan.mlspec")).expect("the spec is there");
    let text = text
        .replace("  noise = digits.image }", " }\n  draw { noise = Normal(shape=[B, 8, 8]) }")
        .replace("every     = 1", "every     = 2")
        .replace("  log { every = 1 }", more);
    let path = folder.join("gan.mlspec");
    std::fs::write(&path, text).expect("the temporary folder is writable");
    path.display().to_string()
}

#[test]
fn a_run_of_two_steps_goes_on_where_it_stopped() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let spec = gan(place.path(), "  ema = 0.9");
    let whole = Run::train(&spec, &["--data", &data(), "--steps", "21", "--threads", "1"]);
    let parts = Run::train(&spec, &["--data", &data(), "--steps", "8"]);
    let folder = parts.file("").display().to_string();
    run(&["train", "--resume", &folder, "--steps", "21"]);
    assert_eq!(whole.weights_hash(), parts.weights_hash());
    let losses = |run: &Run| -> Vec<serde_json::Value> {
        let records = run.records();
        records.iter().map(|r| serde_json::json!([r["step"], r["loss"], r["metrics"]])).collect()
    };
    assert_eq!(losses(&whole), losses(&parts), "the logs are those of one run");
}

/// Two players without anything that depends on how rows are put into batches.
fn two_players(folder: &Path, batch: usize, more: &str) -> String {
    let spec = gan(folder, more);
    let text = std::fs::read_to_string(&spec).expect("the spec is there");
    let text = text
        .replace(" |> BatchNorm as bn", "")
        .replace("\n  draw { noise = Normal(shape=[B, 8, 8]) }", "")
        .replace("real = digits.image", "real = digits.image  noise = digits.image")
        .replace("batch   = 32", &format!("batch   = {batch}"));
    let path = folder.join(format!("players-{batch}.mlspec"));
    std::fs::write(&path, text).expect("the temporary folder is writable");
    path.display().to_string()
}

/// The losses that a run logged: the sum and each step's own.
fn logged(run: &Run) -> Vec<[Option<f64>; 3]> {
    let numbers = |r: &serde_json::Value| {
        let own = |name: &str| r["metrics"][name].as_f64();
        [r["loss"].as_f64(), own("critic.loss"), own("generator.loss")]
    };
    run.records().iter().map(numbers).collect()
}

#[test]
fn gathered_batches_of_two_steps_do_what_a_large_batch_does() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let more = "  ema = 0.9\n  log { every = 1 }";
    let large = two_players(place.path(), 64, more);
    let small = two_players(place.path(), 32, &format!("  accumulate = 2\n{more}"));
    // 29 steps are an epoch, whose last step has 5 rows: fewer than one batch.
    let train = |spec: &str| Run::train(spec, &["--data", &data(), "--steps", "40", "--threads", "1"]);
    let (large, small) = (logged(&train(&large)), logged(&train(&small)));
    assert!(large.len() >= 40 && large.len() == small.len(), "{} and {}", large.len(), small.len());
    assert!(large.iter().any(|[_, _, generator]| generator.is_none()), "it rests on every other batch");
    for (large, small) in large.iter().zip(&small) {
        for (large, small) in large.iter().zip(small) {
            let near = match (large, small) {
                (Some(large), Some(small)) => (large - small).abs() <= 1e-4 * large.abs(),
                (large, small) => large == small,
            };
            assert!(near, "{small:?} is not {large:?}");
        }
    }
}

#[test]
fn gathered_batches_of_two_steps_go_on_where_they_stopped() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let spec = gan(place.path(), "  accumulate = 3\n  ema = 0.9\n  log { every = 1 }");
    let whole = Run::train(&spec, &["--data", &data(), "--steps", "25", "--threads", "1"]);
    let parts = Run::train(&spec, &["--data", &data(), "--steps", "9"]);
    let folder = parts.file("").display().to_string();
    run(&["train", "--resume", &folder, "--steps", "25"]);
    assert_eq!(whole.weights_hash(), parts.weights_hash());
    assert_eq!(logged(&whole), logged(&parts), "the logs are those of one run");
    // What runs is shown: the turn of each.
    let shown = run(&["dump", &spec, "--data", &data(), "--stage", "grad"]);
    assert!(shown.contains("G.fc1.weight.gathered") && shown.contains("D.fc1.weight.gathered"), "{shown}");
    run(&["plan", &spec, "--data", &data()]);
}

#[test]
fn evaluations_tell_the_loss_of_each_step_and_their_sum() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let spec = gan(place.path(), "");
    let text = std::fs::read_to_string(&spec).expect("the spec is there");
    std::fs::write(&spec, text.replace("shuffle = false", "split { train = 80%  valid = 20% }"))
        .expect("the temporary folder is writable");
    let trained = Run::train(&spec, &["--data", &data()]);
    let records = trained.records();
    let valid = records.iter().rfind(|r| r["split"] == "valid").expect("a validation");
    let number = |name: &str| valid["metrics"][name].as_f64().expect("a number");
    let sum = number("critic.loss") + number("generator.loss");
    let total = valid["loss"].as_f64().expect("a number");
    assert!((sum - total).abs() < 1e-5 * total, "{sum} is not {total}");
    // What is drawn for an evaluation is drawn again in the same way.
    let folder = trained.file("").display().to_string();
    assert_eq!(run(&["eval", &folder, "--split", "valid"]), run(&["eval", &folder, "--split", "valid"]));
}

#[test]
fn a_single_step_draws_too() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let path = place.path().join("vae.mlspec");
    let text = r#"mlspec 1

data digits {
  source = idx("data/digits")
  image  = image / 16
  batch  = 64
}

model Vae {
  input image: f32[B, 8, 8]
  input eps: f32[B, 4]
  let h = image |> Flatten |> Dense(32, activation=relu) as enc
  let centre = h |> Dense(4) as mean
  let log_var = h |> Dense(4) as log_var
  output kl: f32[] = mean(sum(exp(log_var) + centre^2 - 1 - log_var, axis=-1)) / 2
  output pixels: f32[B, 64] = (centre + exp(log_var / 2) * eps) |> Dense(32, activation=relu) as dec |> Dense(64) as out
}

train {
  feed { image = digits.image }
  draw { eps = Normal(shape=[B, 4]) }
  loss      = 64 * BinaryCrossEntropy(Vae.pixels, image |> Flatten) + Vae.kl
  optimizer = Adam(lr=3e-3)
  epochs    = 3
}
"#;
    std::fs::write(&path, text).expect("the temporary folder is writable");
    let trained = Run::train(&path.display().to_string(), &["--data", &data()]);
    let records = trained.records();
    let epochs: Vec<f64> = records
        .iter()
        .filter(|r| r["of"] == "epoch" && r["split"] == "train")
        .map(|r| r["loss"].as_f64().expect("a number"))
        .collect();
    assert!(epochs.len() == 3 && epochs[2] < 0.9 * epochs[0], "{epochs:?}");
}

#[test]
fn a_single_step_may_have_a_name() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let spec = |name: &str, step: [&str; 2]| {
        let [open, close] = step;
        let text = format!(
            "mlspec 1\n\ndata digits {{ source = idx(\"data/digits\")  batch = 64 }}\n\nmodel M {{\n  input image: f32[B, 8, 8]\n  \
             output logits: f32[B, 10] = image / 16 |> Flatten |> Dense(10) as fc\n}}\n\ntrain {{\n  \
             feed {{ image = digits.image  label = digits.label }}\n  {open}\n  loss = CrossEntropy(M.logits, label)\n  \
             optimizer = Adam(lr=1e-2)\n  {close}\n  steps = 20\n}}\n"
        );
        let path = place.path().join(name);
        std::fs::write(&path, text).expect("the temporary folder is writable");
        Run::train(&path.display().to_string(), &["--data", &data()])
    };
    let (plain, named) =
        (spec("plain.mlspec", ["", ""]), spec("named.mlspec", ["step learn {\n  updates = M", "}"]));
    let losses = |run: &Run| run.records().iter().map(|r| r["loss"].clone()).collect::<Vec<_>>();
    assert_eq!(losses(&plain), losses(&named));
}

#[test]
fn steps_that_cannot_run_are_told_before_they_do() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let told = |more: &str, set: &str| {
        let spec = gan(place.path(), more);
        stderr(&mlc(&["check", &spec, "--data", &data(), "--set", set]))
    };
    let wrong = told("  clip = value(1)", "train.steps=1");
    assert!(wrong.contains("`clip` belongs to a step"), "{wrong}");
    let wrong = told("", "train.critic.every=3");
    assert!(wrong.contains("on some batches no step would act"), "{wrong}");
    let wrong = told("  freeze = [G]", "train.steps=1");
    assert!(wrong.contains("every weight that this step updates is frozen"), "{wrong}");
}
