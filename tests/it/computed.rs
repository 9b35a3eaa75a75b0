//! Columns that are computed and then transformed: as good as columns that the file has.

use crate::support::{Run, mlc, stderr, stdout};
use crate::tables::train;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// People, and whether they are ill; with `bmi`, that stands in the file as well.
fn people(count: usize, with_bmi: bool) -> String {
    let mut text =
        String::from(if with_bmi { "weight,height,age,bmi,ill\n" } else { "weight,height,age,ill\n" });
    for i in 0..count {
        let (weight, height) = (50.0 + (i * 37 % 61) as f64, 1.5 + (i * 13 % 47) as f64 / 100.0);
        let (age, bmi) = (20 + i * 7 % 50, weight / (height * height));
        let ill = if bmi + age as f64 / 10.0 > 30.0 { "yes" } else { "no" };
        let bmi = if with_bmi { format!("{bmi},") } else { String::new() };
        let _ = writeln!(text, "{weight},{height},{age},{bmi}{ill}");
    }
    text
}

const COMPUTED: &str = "bmi = weight / height^2\n  age : minmax\n  bmi : clip(10, 60) |> standardize";
const IN_FILE: &str = "age : minmax\n  bmi : clip(10, 60) |> standardize";

fn spec(columns: &str, split: &str) -> String {
    format!(
        "mlspec 1\n\ndata people {{\n  source = csv(\"people.csv\")\n  {columns}\n  ill : class(no, yes)\n  split {{ {split} }}\n  \
         batch = 8\n}}\n\nmodel Net {{\n  input row: f32[B, people.features]\n  output logit: f32[B] = row |> Dense(4, \
         activation=tanh) as fc1 |> Dense(1) as fc2 |> Squeeze\n}}\n\ntrain {{\n  feed {{ row = people.row  ill = \
         people.ill }}\n  loss = BinaryCrossEntropy(Net.logit, ill)\n  optimizer = SGD(lr=0.1)\n  metrics = [accuracy]\n  \
         epochs = 3\n}}\n"
    )
}

const HALVES: &str = "train = 60%  valid = 20%  test = 20%  seed = 1";

/// The hash of the weights of a run in `folder`, which is removed.
fn hash(folder: &Path, spec: &str, environment: &[(&str, &str)]) -> String {
    let output = train(folder, spec, environment);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = fs::read_to_string(folder.join("run/run.yaml")).expect("run.yaml is there");
    fs::remove_dir_all(folder.join("run")).expect("a finished run");
    let line = text.lines().find_map(|l| l.strip_prefix("weights_hash: "));
    line.expect("run.yaml names the hash of the weights").to_string()
}

#[test]
fn a_computed_column_trains_as_one_of_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    fs::write(path.join("people.csv"), people(400, true)).expect("the folder is writable");
    let in_file = hash(path, &spec(IN_FILE, HALVES), &[]);
    fs::write(path.join("people.csv"), people(400, false)).expect("the folder is writable");
    assert_eq!(hash(path, &spec(COMPUTED, HALVES), &[]), in_file, "computed");
    // The same in a row of its own.
    let piped = "bmi = (weight / height^2) |> clip(10, 60)\n  age : minmax\n  bmi : standardize";
    assert_eq!(hash(path, &spec(piped, HALVES), &[]), in_file, "transformed twice");
    let twice =
        "square = height^2\n  bmi = weight / square\n  age : minmax\n  bmi : clip(10, 60) |> standardize";
    assert_eq!(hash(path, &spec(twice, HALVES), &[]), in_file, "computed in two steps");
    // Some of the file at a time.
    assert_eq!(hash(path, &spec(COMPUTED, HALVES), &[("MLC_MEMORY", "16K")]), in_file, "in pieces");
}

#[test]
fn a_run_keeps_the_formula() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, rows) = (folder.path().join("people.mlspec"), people(200, false));
    fs::write(folder.path().join("people.csv"), &rows).expect("the folder is writable");
    fs::write(&file, spec(COMPUTED, HALVES)).expect("the folder is writable");
    let run = Run::train(file.to_str().expect("UTF-8"), &[]);
    let yaml = fs::read_to_string(run.file("run.yaml")).expect("run.yaml is there");
    assert!(yaml.contains("graph bmi") && yaml.contains("value bmi = "), "{yaml}");
    let path = run.file("").display().to_string();
    let data = folder.path().to_str().expect("UTF-8");
    let output = mlc(&["eval", &path, "--data", data, "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(report["metrics"]["accuracy"].as_f64(), Some(run.test_result("accuracy")));
    // One row that nobody labelled, its columns in another order, is what it was among the others.
    let predicted = |text: &str, keep: &str| {
        let input = folder.path().join("rows.csv");
        fs::write(&input, text).expect("the folder is writable");
        let input = input.to_str().expect("UTF-8");
        let output =
            mlc(&["predict", &path, "--data", data, "--input", input, "--output", "-", "--keep", keep]);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let all = predicted(&rows, "age");
    let first: Vec<&str> = rows.lines().nth(1).expect("rows").split(',').collect();
    let one = predicted(&format!("age,height,weight\n{},{},{}\n", first[2], first[1], first[0]), "age");
    assert_eq!(one.lines().nth(1), all.lines().nth(1));
}

#[test]
fn every_fold_fits_its_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("people.mlspec");
    fs::write(folder.path().join("people.csv"), people(90, false)).expect("the folder is writable");
    fs::write(&file, spec(COMPUTED, "kfold = 3  seed = 1")).expect("the folder is writable");
    let run = Run::train(file.to_str().expect("UTF-8"), &[]);
    let mean = |fold: usize| {
        let yaml = fs::read_to_string(run.file(&format!("fold-{fold}/run.yaml"))).expect("run.yaml is there");
        let yaml: serde_yaml::Value = serde_yaml::from_str(&yaml).expect("YAML");
        let fields = yaml["fitted"].as_sequence().expect("columns").iter();
        let row = fields.into_iter().find(|c| c["name"] == "row").expect("a row");
        let bmi = row["fields"].as_sequence().expect("fields").iter().find(|f| f["source"] == "bmi");
        bmi.expect("bmi is in the row")["steps"][1]["mean"][0].as_f64().expect("a mean")
    };
    assert!(mean(1) != mean(2) && mean(2) != mean(3), "{} {} {}", mean(1), mean(2), mean(3));
}

#[test]
fn looking_at_data_shows_what_is_computed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("people.mlspec");
    fs::write(folder.path().join("people.csv"), people(90, false)).expect("the folder is writable");
    fs::write(&file, spec(COMPUTED, HALVES)).expect("the folder is writable");
    let output = mlc(&["data", file.to_str().expect("UTF-8")]);
    let text = stdout(&output);
    let line = text.lines().find(|l| l.trim_start().starts_with("bmi ")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("weight / height^2 |> clip(10, 60) |> standardize -> row"), "{line}");
    assert!(line.contains("number"), "{line}");
}

#[test]
fn a_cut_in_data_is_the_cut_of_a_feed() {
    let spec = |image: &str, fed: &str| {
        format!(
            "mlspec 1

data shapes {{
  source = synthetic(images, height=4, width=4, channels=1, classes=3, rows=60)
  {image}
  batch  = 16
}}

model Net {{
  input image: f32[B, 2, 4, 1]
  output logits: f32[B, 3] = image |> Flatten |> Dense(3) as fc
}}

train {{
  feed      {{ image = {fed}  label = shapes.label }}
  loss      = CrossEntropy(Net.logits, label)
  optimizer = SGD(lr=0.1)
  epochs    = 2
}}
"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let in_feed = hash(folder.path(), &spec("image  = image / 2", "shapes.image[1:3]"), &[]);
    let in_data = spec("middle = image[1:3]\n  image  = middle / 2", "shapes.image");
    assert_eq!(hash(folder.path(), &in_data, &[]), in_feed);
    let other = spec("image  = image[-2:] / 2", "shapes.image");
    assert_ne!(hash(folder.path(), &other, &[]), in_feed, "other rows of the image");
}
