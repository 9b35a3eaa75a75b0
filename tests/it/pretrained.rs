//! Models that start from files of weights, against what wrote the files.

use crate::support::{Run, large_data, mlc, root, run, stderr};
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    root().join("tests/goldens/pretrained").join(name)
}

/// Writes the first weights, and gives the mean squared error of the model against the golden.
fn error(spec: &Path, more: &[&str]) -> f64 {
    let place = tempfile::tempdir().expect("a temporary folder");
    let out = place.path().join("run").display().to_string();
    let spec = spec.display().to_string();
    run(&[&["train", &spec, "--steps", "0", "--out", &out], more].concat());
    let told = run(&["eval", &out, "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("an evaluation is JSON");
    told["loss"].as_f64().unwrap_or_else(|| panic!("a loss: {told}"))
}

#[test]
fn modules_of_pytorch_give_what_they_gave_there() {
    // Outputs are of size one: this is the rounding of f32.
    let found = error(&golden("zoo.mlspec"), &[]);
    assert!(found < 1e-11, "{found:e}");
}

#[test]
fn published_gpt2_fits_by_name() {
    let Some(data) = large_data("published_gpt2_fits_by_name") else { return };
    for variant in [&[][..], &["--variant", "mini"]] {
        let found = error(&golden("gpt2.mlspec"), &[&["--data", &data], variant].concat());
        assert!(found < 1e-11, "{variant:?}: {found:e}");
    }
}

/// A net of two layers on four rows, its model's first lines and what follows the model.
fn net(folder: &Path, model: &str, more: &str) -> String {
    let text = format!(
        "mlspec 1

data rows {{
  source = csv(\"rows.csv\")
  x, y : float
  batch = 2
  shuffle = false
}}

model Net {{
  {model}
  input x: f32[B]
  output z: f32[B] = x |> Reshape(1) |> Dense(2) as fc1 |> Dense(1) as out |> Squeeze
}}

{more}"
    );
    std::fs::write(folder.join("rows.csv"), "x,y\n1,2\n2,4\n3,6\n4,8\n").expect("the folder is writable");
    let path = folder.join("net.mlspec");
    std::fs::write(&path, text).expect("the folder is writable");
    path.display().to_string()
}

const TRAIN: &str = "train {
  feed { x = rows.x  y = rows.y }
  loss = MeanSquaredError(Net.z, y)
  optimizer = SGD(lr=1e-3)
  steps = 2
}
";

/// The weights of another seed, as a file beside the spec.
fn others(folder: &Path) -> Run {
    let made = Run::train(&net(folder, "", TRAIN), &["--steps", "0", "--set", "train.seed=7"]);
    std::fs::copy(made.file("model.safetensors"), folder.join("other.safetensors")).expect("it is written");
    made
}

const FILE: &str = "pretrained = safetensors(\"other.safetensors\")";

#[test]
fn what_is_fresh_is_drawn_and_the_rest_is_read() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let other = others(place.path());
    let plain = Run::train(&net(place.path(), "", TRAIN), &["--steps", "0"]);
    let fresh = format!("{FILE}\n  fresh = [out]");
    let spec = net(place.path(), &fresh, TRAIN);
    let mixed = Run::train(&spec, &["--steps", "0"]);
    let of = |run: &Run, name: &str| run.tensor("model.safetensors", name);
    assert_eq!(of(&mixed, "fc1.weight"), of(&other, "fc1.weight"));
    assert_eq!(of(&mixed, "out.weight"), of(&plain, "out.weight"));
    assert_ne!(of(&mixed, "out.weight"), of(&other, "out.weight"));
    assert!(run(&["plan", &spec]).contains("Net starts from other.safetensors: 2 of 4 weights"));
    let rendered = run(&["render", &spec]);
    assert!(rendered.contains("safetensors(\"other.safetensors\", prefix=\"\", layout=mlc)"), "{rendered}");
}

#[test]
fn a_run_notes_its_file_and_sees_that_it_has_changed() {
    let place = tempfile::tempdir().expect("a temporary folder");
    others(place.path());
    let spec = net(place.path(), FILE, TRAIN);
    let first = Run::train(&spec, &[]);
    let again = Run::train(&spec, &[]);
    assert_eq!(first.weights_hash(), again.weights_hash());
    let info = std::fs::read_to_string(first.file("run.yaml")).expect("run.yaml is there");
    assert!(info.contains("other.safetensors"), "{info}");

    // A run that was cut short goes on from its checkpoint to the same end, whatever became of the file.
    let cut = Run::train(&spec, &["--steps", "1"]);
    let file = place.path().join("other.safetensors");
    let kept = std::fs::read(&file).expect("it is there");
    std::fs::remove_file(&file).expect("it was there");
    run(&["train", "--resume", &cut.file("").display().to_string(), "--steps", "2"]);
    assert_eq!(cut.weights_hash(), first.weights_hash());

    let like = ["train", "--like", &first.file("").display().to_string(), "--out"];
    let out = place.path().join("like").display().to_string();
    let gone = mlc(&[&like[..], &[&out]].concat());
    assert_eq!(gone.status.code(), Some(1));
    assert!(stderr(&gone).contains("mlc::data::missing_file"), "{}", stderr(&gone));
    let mut changed = kept;
    let last = changed.len() - 1;
    changed[last] ^= 1;
    std::fs::write(&file, changed).expect("the folder is writable");
    let told = stderr(&mlc(&[&like[..], &[&out]].concat()));
    assert!(told.contains("mlc::run::changed") && told.contains("other.safetensors"), "{told}");
}

#[test]
fn a_later_section_goes_on_from_the_earlier_one() {
    let place = tempfile::tempdir().expect("a temporary folder");
    others(place.path());
    let two = TRAIN.replace("train {", "train one {") + &TRAIN.replace("train {", "train two {");
    let both = Run::train(&net(place.path(), FILE, &two), &[]);
    let once = Run::train(&net(place.path(), FILE, &TRAIN.replace("steps = 2", "steps = 4")), &[]);
    let of = |run: &Run, file: &str| run.tensor(file, "out.weight");
    // Plain SGD has no state: two sections of two steps are one of four, as their rows come in the same order.
    assert_eq!(of(&both, "two/model.safetensors"), of(&once, "model.safetensors"));
}
