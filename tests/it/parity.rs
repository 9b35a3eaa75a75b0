//! The same losses as Keras 3 and PyTorch, from the same weights and batches.
//!
//! `mnist_parity.py`, `optimizers.py`, `updates.py`, `losses.py`, `steps.py`, `norms.py`, `two_heads.py`, `gan.py`,
//! `convolutions.py`, `sequences.py`, `loops.py` and `bf16.py` in `tests/goldens` made the numbers.

use crate::support::{Run, large_data, root};
use serde_json::Value as Json;

/// Relative, for each of fifty steps.
const TOLERANCE: f64 = 1e-4;

fn goldens(name: &str) -> Json {
    let path = root().join("tests/goldens").join(name);
    let text = std::fs::read_to_string(path).expect("the goldens are there");
    serde_json::from_str(&text).expect("the goldens are JSON")
}

/// The fifty losses of a run are those of the reference.
fn compare(name: &str, run: &Run, wanted: &Json) {
    let worst = differences(name, run, wanted).into_iter().fold(0.0, f64::max);
    println!("{name}: worst relative difference {worst:.1e}");
    assert!(worst <= TOLERANCE, "{name}: {worst:e}");
}

/// How far each loss of a run is from the reference's, relatively.
fn differences(name: &str, run: &Run, wanted: &Json) -> Vec<f64> {
    let records = run.records();
    let found = records.iter().filter(|r| r["of"] == "step").map(|r| r["loss"].as_f64());
    let found: Vec<f64> = found.map(|x| x.expect("a loss is a number")).collect();
    let wanted = wanted.as_array().expect("a list of losses").iter();
    let wanted: Vec<f64> = wanted.map(|x| x.as_f64().expect("a loss is a number")).collect();
    assert_eq!((found.len(), wanted.len()), (50, 50), "{name}");
    found.iter().zip(&wanted).map(|(f, w)| ((f - w) / w).abs()).collect()
}

#[test]
fn fifty_losses_agree_with_keras_and_torch() {
    let Some(data) = large_data("fifty_losses_agree_with_keras_and_torch") else { return };
    let goldens = goldens("mnist_parity.json");
    let runs = goldens["runs"].as_object().expect("goldens by name");
    assert_eq!(runs.len(), 4);
    for (name, golden) in runs {
        let spec = root().join(format!("tests/goldens/mnist_{name}.mlspec")).display().to_string();
        compare(name, &Run::train(&spec, &["--data", &data]), &golden["losses"]);
    }
}

#[test]
fn every_optimizer_has_the_losses_of_keras_and_torch() {
    let goldens = goldens("optimizers.json");
    let runs = goldens["runs"].as_array().expect("a list of runs");
    for optimizer in mlc::ops::optimizer::OPTIMIZERS {
        let text = |run: &Json| run["optimizer"].as_str().expect("a call").to_string();
        let named = runs.iter().map(text).any(|t| t.split('(').next() == Some(optimizer.sig.name));
        assert!(named, "{} is compared", optimizer.sig.name);
    }
    for run in runs {
        train_and_compare(run, "");
    }
}

/// Trains what `optimizers.mlspec` says but for the optimizer, with one more line.
fn train_and_compare(run: &Json, line: &str) {
    let optimizer = run["optimizer"].as_str().expect("a text");
    train_changed(run, "SGD(lr=0.1)", &format!("{optimizer}\n  {line}"));
}

/// Trains what `optimizers.mlspec` says, but for one place and the defaults of its framework.
fn train_changed(run: &Json, place: &str, by: &str) {
    let framework = run["framework"].as_str().expect("a text");
    let template = root().join("tests/goldens/optimizers.mlspec");
    let template = std::fs::read_to_string(template).expect("the spec is there");
    assert!(template.contains(place), "{place} is in the spec");
    let spec = template.replace("mlspec 1\n", &format!("mlspec 1 defaults {framework}\n")).replace(place, by);
    let place = tempfile::tempdir().expect("a temporary folder");
    let file = place.path().join("spec.mlspec");
    std::fs::write(&file, spec).expect("the temporary folder is writable");
    let data = root().join("specs").display().to_string();
    let trained = Run::train(&file.display().to_string(), &["--data", &data]);
    compare(&format!("{framework} {by}"), &trained, &run["losses"]);
}

#[test]
fn weighted_and_smoothed_losses_are_those_of_keras_and_torch() {
    for run in goldens("losses.json")["runs"].as_array().expect("a list of runs") {
        let lets: Vec<&str> =
            run["lets"].as_array().expect("a list").iter().filter_map(Json::as_str).collect();
        let loss = format!("{}\n  loss = {}", lets.join("\n  "), run["loss"].as_str().expect("a loss"));
        train_changed(run, "loss      = CrossEntropy(Mlp.logits, label)", &loss);
    }
}

#[test]
fn schedules_and_clipping_have_the_losses_of_keras_and_torch() {
    let goldens = goldens("updates.json");
    let runs = goldens["runs"].as_array().expect("a list of runs");
    for clip in mlc::ops::clip::CLIPS {
        let line = format!("clip = {}(", clip.sig.name);
        let named = runs.iter().any(|r| r["line"].as_str().is_some_and(|l| l.starts_with(&line)));
        assert!(named, "{} is compared", clip.sig.name);
    }
    for run in runs {
        train_and_compare(run, run["line"].as_str().expect("a line"));
    }
}

#[test]
fn two_inputs_and_two_outputs_have_the_losses_of_keras() {
    let lesson = std::fs::read_to_string(root().join("specs/two_heads.mlspec")).expect("the spec is there");
    let split = "  split { train = 60%  valid = 20%  test = 20%  stratify = species  seed = 1 }";
    let all = lesson.replace(split, "  shuffle = false").replace("epochs    = 60", "steps     = 50");
    let place = tempfile::tempdir().expect("a temporary folder");
    let spec = place.path().join("two_heads.mlspec");
    std::fs::write(&spec, all).expect("the temporary folder is writable");
    let data = root().join("specs").display().to_string();
    let run = Run::train(&spec.display().to_string(), &["--data", &data]);
    compare("two_heads", &run, &goldens("two_heads.json")["losses"]);
}

/// Each of two steps sees the weights as the other left them, and the moving statistics of its norm go on three times
/// a batch.
#[test]
fn two_players_have_the_losses_of_torch() {
    let template =
        std::fs::read_to_string(root().join("tests/goldens/gan.mlspec")).expect("the spec is there");
    let data = root().join("specs").display().to_string();
    let place = tempfile::tempdir().expect("a temporary folder");
    let file = place.path().join("gan.mlspec");
    let spec = file.display().to_string();
    for wanted in goldens("gan.json")["runs"].as_array().expect("a list of runs") {
        let every = format!("train.generator.every={}", wanted["every"]);
        std::fs::write(&file, &template).expect("the temporary folder is writable");
        let run = Run::train(&spec, &["--data", &data, "--set", &every]);
        let records = run.records();
        let found: Vec<&Json> = records.iter().filter(|r| r["of"] == "step").map(|r| &r["metrics"]).collect();
        let losses = wanted["losses"].as_array().expect("a list of losses");
        assert_eq!((found.len(), losses.len()), (50, 50));
        for (step, (found, losses)) in found.iter().zip(losses).enumerate() {
            for (name, wanted) in
                ["critic.loss", "generator.loss"].iter().zip(losses.as_array().expect("a pair"))
            {
                match (found[name].as_f64(), wanted.as_f64()) {
                    (Some(found), Some(wanted)) => {
                        let off = ((found - wanted) / wanted).abs();
                        assert!(off <= TOLERANCE, "{every}, step {step}: {name} is off by {off:e}");
                    }
                    (found, wanted) => assert_eq!(found, wanted, "{every}, step {step}: {name}"),
                }
            }
        }
    }
}

#[test]
fn norms_have_the_losses_of_keras_and_torch() {
    let template =
        std::fs::read_to_string(root().join("tests/goldens/norms.mlspec")).expect("the spec is there");
    let data = root().join("specs").display().to_string();
    let goldens = goldens("norms.json");
    let place = tempfile::tempdir().expect("a temporary folder");
    let spec = place.path().join("spec.mlspec");
    for framework in ["keras", "torch"] {
        let text = template.replace("mlspec 1\n", &format!("mlspec 1 defaults {framework}\n"));
        std::fs::write(&spec, text).expect("the temporary folder is writable");
        let trained = Run::train(&spec.display().to_string(), &["--data", &data]);
        compare(framework, &trained, &goldens["runs"][framework]);
    }
}

#[test]
fn transformers_have_the_losses_of_keras_torch_and_jax() {
    let folder = root().join("tests/goldens/sequences");
    let data = folder.display().to_string();
    let goldens = goldens("sequences.json");
    let runs = goldens["runs"].as_object().expect("goldens by name");
    assert_eq!(runs.len(), 5);
    for (name, wanted) in runs {
        let spec = folder.join(format!("{name}.mlspec")).display().to_string();
        compare(name, &Run::train(&spec, &["--data", &data]), wanted);
    }
}

#[test]
fn recurrent_nets_a_text_cnn_and_ctc_have_the_losses_of_keras_and_torch() {
    let folder = root().join("tests/goldens/sequences");
    let data = folder.display().to_string();
    let goldens = goldens("loops.json");
    let runs = goldens["runs"].as_object().expect("goldens by name");
    assert_eq!(runs.len(), 6);
    for (name, wanted) in runs {
        let spec = folder.join(format!("{name}.mlspec")).display().to_string();
        compare(name, &Run::train(&spec, &["--data", &data]), wanted);
    }
}

#[test]
fn what_a_step_does_beside_the_optimizer_is_what_keras_and_torch_do() {
    losses_and_states("steps.json");
}

#[test]
fn convolutions_have_the_losses_and_running_statistics_of_keras() {
    losses_and_states("convolutions.json");
}

/// The last bits of a sum depend on its order, and now and then decide which of two neighbours an operand is rounded to.
/// So the first steps agree closely, and later ones as runs do that differ by such a choice.
#[test]
fn products_of_bf16_have_the_losses_of_torch() {
    const CLOSE: usize = 10;
    let runs = goldens("bf16.json");
    let place = tempfile::tempdir().expect("a temporary folder");
    let file = place.path().join("spec.mlspec");
    for run in runs["runs"].as_array().expect("a list of runs") {
        let text = |key: &str| run[key].as_str().expect("a text");
        let trained = |spec: &str| {
            std::fs::write(&file, spec).expect("the temporary folder is writable");
            let data = root().join("specs").display().to_string();
            differences(
                text("name"),
                &Run::train(&file.display().to_string(), &["--data", &data]),
                &run["losses"],
            )
        };
        let worst = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
        let (rounded, exact) = (trained(text("spec")), trained(&text("spec").replace("bf16", "f32")));
        println!("{}: {:.1e}, later {:.1e}", text("name"), worst(&rounded[..CLOSE]), worst(&rounded));
        assert!(worst(&rounded[..CLOSE]) <= 1e-6 && worst(&rounded) <= 1e-3, "{rounded:?}");
        assert!(worst(&exact[..CLOSE]) > 1e-5, "rounding shows: {exact:?}");
    }
}

/// The losses of each run of a file, and the states at its end.
fn losses_and_states(file: &str) {
    let runs = goldens(file);
    let data = root().join("specs").display().to_string();
    let place = tempfile::tempdir().expect("a temporary folder");
    let file = place.path().join("spec.mlspec");
    for run in runs["runs"].as_array().expect("a list of runs") {
        let text = |key: &str| run[key].as_str().expect("a text");
        std::fs::write(&file, text("spec")).expect("the temporary folder is writable");
        let trained = Run::train(&file.display().to_string(), &["--data", &data]);
        compare(text("name"), &trained, &run["losses"]);
        for (name, wanted) in run["state"].as_object().expect("states by name") {
            let found = trained.tensor("model.safetensors", name);
            let wanted = wanted.as_array().expect("a list").iter().filter_map(Json::as_f64);
            let worst = found.iter().zip(wanted).map(|(f, w)| (f64::from(*f) - w).abs() / (0.01 + w.abs()));
            let worst = worst.fold(0.0, f64::max);
            assert!(worst <= TOLERANCE, "{} {name}: {worst:e}", text("name"));
        }
    }
}
