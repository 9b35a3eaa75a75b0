//! Several `train` sections from outside: a run for each, in turn, on the weights of those before.

use crate::support::{mlc, run, stderr, stdout};
use std::fs;
use std::path::{Path, PathBuf};

const SPEC: &str = "mlspec 1

data iris {
  source = csv(\"data/iris.csv\", skip=1, columns=[sepal_length, sepal_width, petal_length, petal_width, species])
  sepal_length, sepal_width, petal_length, petal_width : standardize
  species : class(3)
  split { train = 90  valid = 30  test = 30  stratify = species  seed = 1 }
  batch = 16
}

model Iris {
  input row: f32[B, iris.features]
  output logits: f32[B, 3] = row |> Dense(8, activation=relu) as fc1 |> Dense(3) as out
}

train head {
  feed      { row = iris.row  species = iris.species }
  loss      = CrossEntropy(Iris.logits, species)
  optimizer = Adam(lr=0.05)
  freeze    = [fc1]
  epochs    = 4
  seed      = 3
}

train whole {
  feed      { row = iris.row  species = iris.species }
  loss      = CrossEntropy(Iris.logits, species)
  optimizer = SGD(lr=0.02, momentum=0.9)
  metrics   = [accuracy]
  epochs    = 6
  seed      = 4
  checkpoint { every = 5  keep = 20 }
}
";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn spec(&self, text: &str) -> String {
        let file = self.at("spec.mlspec");
        fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    fn trained(&self, text: &str, out: &str, more: &[&str]) -> PathBuf {
        let (file, out) = (self.spec(text), self.at(out));
        let shown = out.display().to_string();
        run(&[&["train", &file, "--data", "specs", "--out", &shown], more].concat());
        out
    }

    fn refused(&self, text: &str, command: &str, more: &[&str]) -> String {
        let output = mlc(&[&[command, &self.spec(text), "--data", "specs"], more].concat());
        assert!(!output.status.success(), "{}", stdout(&output));
        stderr(&output)
    }
}

fn yaml(folder: &Path) -> serde_yaml::Value {
    serde_yaml::from_str(&fs::read_to_string(folder.join("run.yaml")).unwrap()).unwrap()
}

fn hash(folder: &Path) -> String {
    yaml(folder)["weights_hash"].as_str().unwrap_or_default().to_string()
}

/// The text of a spec with one of the two sections.
fn alone(section: &str) -> String {
    let (before, rest) = SPEC.split_once("train head").unwrap();
    let (head, whole) = rest.split_once("train whole").unwrap();
    match section {
        "head" => format!("{before}train{head}"),
        _ => format!("{before}train{whole}"),
    }
}

#[test]
fn sections_in_turn_are_runs_by_hand() {
    let place = Place::new();
    let turn = place.trained(SPEC, "turn", &[]);
    let head = place.trained(&alone("head"), "head", &[]);
    let weights = head.join("model.safetensors").display().to_string();
    let whole = place.trained(&alone("whole"), "whole", &["--init", &weights]);
    let info = yaml(&turn);
    assert_eq!(info["finished"].as_str(), Some("complete"));
    assert_eq!(hash(&turn.join("head")), hash(&head), "the first begins from the seed");
    assert_eq!(hash(&turn.join("whole")), hash(&whole), "the second where the first ended");
    assert_eq!(hash(&turn), hash(&whole), "weights of all are those of the last");
    assert_ne!(hash(&head), hash(&whole));
    assert_eq!(info["results"], yaml(&whole)["results"]);
    assert_eq!(info["steps"].as_u64(), Some(6 * 4 + 6 * 6));
    assert_eq!(info["sections"]["done"][0]["weights_hash"].as_str(), Some(&*hash(&head)));
    // What is frozen in one moves in the next.
    let weight = |folder: &Path| {
        let bytes = fs::read(folder.join("model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.tensor("fc1.weight").unwrap().data().to_vec()
    };
    let drawn = place.trained(&alone("head"), "drawn", &["--steps", "0"]);
    assert_eq!(weight(&turn.join("head")), weight(&drawn));
    assert_ne!(weight(&turn.join("whole")), weight(&drawn));
}

#[test]
fn each_section_can_be_run_again_alone() {
    let place = Place::new();
    let turn = place.trained(SPEC, "turn", &[]);
    let again = place.at("again");
    let whole = turn.join("whole").display().to_string();
    run(&["train", "--like", &whole, "--out", &again.display().to_string()]);
    assert_eq!(hash(&again), hash(&turn));
    let head = place.trained(SPEC, "head", &["--train", "head"]);
    assert_eq!(hash(&head), hash(&turn.join("head")));
    assert!(!head.join("head").exists(), "one section is a plain run");
    // All of them again, from what the folder above says.
    let all = place.at("all");
    run(&["train", "--like", &turn.display().to_string(), "--out", &all.display().to_string()]);
    assert_eq!(hash(&all), hash(&turn));
}

#[test]
fn a_run_goes_on_in_the_section_where_it_was_stopped() {
    let place = Place::new();
    let turn = place.trained(SPEC, "turn", &[]);
    let (wanted, shown) = (hash(&turn), turn.display().to_string());
    let part = turn.join("whole");
    // As if the process had ended behind step 20 of the second section.
    for step in ["000025", "000030", "000035", "000036"] {
        let _ = fs::remove_dir_all(part.join("checkpoints").join(step));
    }
    fs::remove_file(part.join("model.safetensors")).unwrap();
    for folder in [&turn, &part] {
        let text = fs::read_to_string(folder.join("run.yaml")).unwrap();
        fs::write(folder.join("run.yaml"), text.replacen("finished: complete", "finished: running", 1))
            .unwrap();
    }
    let longer = mlc(&["train", "--resume", &shown, "--set", "whole.epochs=9"]);
    assert!(stderr(&longer).contains(&format!("mlc train --resume {shown}/whole")), "{}", stderr(&longer));
    let said = stderr(&mlc(&["train", "--resume", &shown]));
    assert!(said.contains("train whole, 2 of 2") && !said.contains("train head"), "{said}");
    assert_eq!((hash(&turn), yaml(&part)["resumed"][0].as_u64()), (wanted.clone(), Some(20)));
    // As if it had ended between the two.
    fs::remove_dir_all(&part).unwrap();
    let none = mlc(&["eval", &shown]);
    assert!(stderr(&none).contains("has not come to its section `whole`"), "{}", stderr(&none));
    run(&["train", "--resume", &shown]);
    assert_eq!(hash(&turn), wanted);
}

#[test]
fn weights_go_on_by_name_where_sections_train_other_models() {
    let two = "mlspec 1

data iris {
  source = csv(\"data/iris.csv\", skip=1, columns=[sepal_length, sepal_width, petal_length, petal_width, species])
  sepal_length, sepal_width, petal_length, petal_width : standardize
  species : class(3)
  batch = 16
}

model Encoder {
  input row: f32[B, iris.features]
  output code: f32[B, 2] = row |> Dense(2) as fc
}

model Decoder {
  input code: f32[B, 2]
  output row: f32[B, iris.features] = code |> Dense(iris.features) as fc
}

model Head {
  input code: f32[B, 2]
  output logits: f32[B, 3] = code |> Dense(3) as fc
}

train pretrain {
  feed      { row = iris.row }
  loss      = MeanSquaredError(Decoder(Encoder(row)), row)
  optimizer = Adam(lr=0.01)
  epochs    = 3
}

train classify {
  feed      { row = iris.row  species = iris.species }
  loss      = CrossEntropy(Head(Encoder(row)), species)
  optimizer = Adam(lr=0.01)
  epochs    = 2
}
";
    let place = Place::new();
    let turn = place.trained(two, "turn", &["--set", "classify.epochs=0"]);
    let read = |section: &str, name: &str| {
        let bytes = fs::read(turn.join(section).join("model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.tensor(name).map(|t| t.data().to_vec()).ok()
    };
    let trained = read("pretrain", "Encoder.fc.weight").expect("the encoder is trained");
    assert_eq!(read("classify", "Encoder.fc.weight"), Some(trained));
    assert_eq!(read("pretrain", "Head.fc.weight"), None);
    assert!(read("classify", "Head.fc.weight").is_some(), "drawn where nobody had it");
}

#[test]
fn commands_take_the_section_that_is_meant() {
    let place = Place::new();
    let file = place.spec(SPEC);
    let plan = run(&["plan", &file, "--data", "specs"]);
    assert!(plan.contains("train head\n") && plan.contains("train whole\n"), "{plan}");
    let one = run(&["plan", &file, "--data", "specs", "--train", "whole", "--json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&one).unwrap().is_object());
    let both = run(&["plan", &file, "--data", "specs", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&both).unwrap().as_array().map(Vec::len), Some(2));
    let bench = place.refused(SPEC, "bench", &[]);
    assert!(bench.contains("mlc::run::several") && bench.contains("--train head"), "{bench}");
    run(&["bench", &file, "--data", "specs", "--train", "whole", "--seconds", "0.1"]);
    let typo = place.refused(SPEC, "train", &["--train", "hole"]);
    assert!(typo.contains("no `train hole`: did you mean `whole`?"), "{typo}");
    let turn = place.trained(SPEC, "turn", &["--steps", "6"]);
    let evaluated = run(&["eval", &turn.display().to_string(), "--json"]);
    let report: serde_json::Value = serde_json::from_str(&evaluated).unwrap();
    assert_eq!(report["weights_hash"].as_str(), Some(&*hash(&turn.join("whole"))));
}

#[test]
fn overrides_name_the_section() {
    let place = Place::new();
    let short = |out: &str, set: &str| hash(&place.trained(SPEC, out, &["--steps", "3", "--set", set]));
    let plain = short("plain", "whole.epochs=6");
    let rate = short("rate", "whole.optimizer.lr=0.5");
    assert_ne!(plain, rate);
    assert_eq!(short("long", "train.whole.optimizer.lr=0.5"), rate);
    let any = place.refused(SPEC, "check", &["--set", "train.epochs=1"]);
    assert!(any.contains("`head.epochs`, `whole.epochs`"), "{any}");
}

#[test]
fn folds_and_sections_exclude_each_other() {
    let place = Place::new();
    let split = "split { train = 90  valid = 30  test = 30  stratify = species  seed = 1 }";
    let text = SPEC.replace(split, "split { kfold = 3  valid = 10%  seed = 1 }");
    let said = place.refused(&text, "train", &["--out", &place.at("x").display().to_string()]);
    assert!(said.contains("mlc::run::several") && said.contains("iris.split.fold=1"), "{said}");
    assert!(!place.at("x").exists());
    place.trained(&text, "one", &["--steps", "2", "--set", "iris.split.fold=1"]);
}

#[test]
fn each_of_several_sections_has_a_name_of_its_own() {
    let place = Place::new();
    let said = place.refused(&SPEC.replace("train whole", "train head"), "check", &[]);
    assert!(said.contains("mlc::name::twice"), "{said}");
    let said = place.refused(&SPEC.replace("train whole", "train"), "check", &[]);
    assert!(said.contains("mlc::section::twice"), "{said}");
}
