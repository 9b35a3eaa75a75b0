//! `import` from outside: what it means, how far a mistake is followed, and that a run needs no other file.

use crate::support::{mlc, run, stderr};
use mlc::runtime::data::{DiskProbe, Places};
use mlc::sema::Settings;
use mlc::tools::ide::{self, Analysis};
use std::fs;
use std::path::{Path, PathBuf};

const DATA: &str = "data iris {
  source = csv(\"data/iris.csv\", skip=1, columns=[sepal_length, sepal_width, petal_length, petal_width, species])
  sepal_length, sepal_width, petal_length, petal_width : standardize
  species : class(3)
  batch = 16
}

model Iris {
  input row: f32[B, iris.features]
  output logits: f32[B, 3] = row |> Two(hidden) as two |> gate |> Dense(3) as out
}

train {
  feed      { row = iris.row  species = iris.species }
  loss      = CrossEntropy(Iris.logits, species)
  optimizer = Adam(lr=0.01)
  epochs    = 2
}
";

const PARAM: &str = "param hidden: int = 8 in [4, 8, 16]";

const BLOCK: &str = "/// A layer, an activation and a layer.
block Two(n: int) (x: f32[B, d]) -> (y: f32[B, n]) {
  output y = x |> Dense(n, activation=relu) as fc1 |> Dense(n) as fc2
}";

const OP: &str = "/// Passes what is positive.
op gate(x: f32[..s]) -> f32[..s] = x * sigmoid(x)";

/// `main.mlspec`, which imports a file that imports two others, one of them twice.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        fs::create_dir(files.at("parts")).unwrap();
        files.write(
            "main.mlspec",
            &format!("mlspec 1\n\nimport \"parts/net.mlspec\"\nimport \"parts/op.mlspec\"\n\n{DATA}"),
        );
        let unused = "param depth: int = 3\n\nmodel Other {\n  input x: f32[B, 4]\n  output y = x |> Dense(depth) as fc\n}";
        let net =
            format!("mlspec 1\n\nimport \"op.mlspec\"\nimport \"../size.mlspec\"\n\n{BLOCK}\n\n{unused}\n");
        files.write("parts/net.mlspec", &net);
        files.write("parts/op.mlspec", &format!("mlspec 1\n\n{OP}\n"));
        files.write("size.mlspec", &format!("mlspec 1\n\n{PARAM}\n"));
        files
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    fn trained(&self, spec: &str, out: &str, more: &[&str]) -> String {
        let (spec, out) = (self.at(spec).display().to_string(), self.at(out));
        let shown = out.display().to_string();
        run(&[&["train", &spec, "--data", "specs", "--out", &shown], more].concat());
        hash(&out)
    }

    fn check(&self, more: &[&str]) -> (bool, String) {
        let main = self.at("main.mlspec").display().to_string();
        let output = mlc(&[&["check", &main, "--data", "specs"], more].concat());
        (output.status.success(), stderr(&output))
    }

    fn analysis(&self) -> Analysis {
        let text = fs::read_to_string(self.at("main.mlspec")).unwrap();
        let name = self.at("main.mlspec").display().to_string();
        let places = Places { spec: Some(self.0.path().into()), data: Some("specs".into()) };
        ide::analyse(name, Some(self.0.path().into()), &text, &Settings::default(), &DiskProbe { places })
    }
}

fn hash(run: &Path) -> String {
    let yaml: serde_yaml::Value =
        serde_yaml::from_str(&fs::read_to_string(run.join("run.yaml")).unwrap()).unwrap();
    yaml["weights_hash"].as_str().unwrap().to_string()
}

#[test]
fn what_is_imported_stands_where_the_import_does() {
    let files = Files::new();
    files.write("one.mlspec", &format!("mlspec 1\n\n{PARAM}\n\n{BLOCK}\n\n{OP}\n\n{DATA}"));
    let together = files.trained("one.mlspec", "one", &[]);
    assert_eq!(files.trained("main.mlspec", "main", &[]), together);
    let (ok, said) = files.check(&[]);
    assert!(ok && !said.contains("depth"), "what a spec does not need of a file is no mistake: {said}");
    // Params are set as if they stood in the spec, and keep their domains.
    let set = ["--set", "hidden=4"];
    assert_eq!(files.trained("main.mlspec", "four", &set), files.trained("one.mlspec", "one-four", &set));
    let (ok, said) = files.check(&["--set", "hidden=5"]);
    assert!(!ok && said.contains("mlc::param::domain"), "{said}");
    let rendered = run(&["render", &files.at("main.mlspec").display().to_string(), "--data", "specs"]);
    assert!(rendered.contains("block Two") && !rendered.contains("import"), "{rendered}");
}

#[test]
fn a_run_needs_no_other_file() {
    let files = Files::new();
    let first = files.trained("main.mlspec", "run", &[]);
    fs::remove_dir_all(files.at("parts")).unwrap();
    fs::remove_file(files.at("size.mlspec")).unwrap();
    let (old, new) = (files.at("run").display().to_string(), files.at("again").display().to_string());
    run(&["train", "--like", &old, "--out", &new]);
    assert_eq!(hash(&files.at("again")), first);
    run(&["eval", &old]);
}

#[test]
fn mistakes_are_followed_into_the_file() {
    let files = Files::new();
    files.write("parts/op.mlspec", "mlspec 1\n\nop gate(x: f32[..s]) -> f32[..s] = x * sigmod(x)\n");
    let (ok, said) = files.check(&[]);
    assert!(!ok && said.contains("parts/op.mlspec:3:") && said.contains("imported here"), "{said}");
    // A text that does not parse, too.
    files.write("parts/op.mlspec", "mlspec 1\n\nop gate(x: f32[..s] -> f32[..s] = x\n");
    let (ok, said) = files.check(&[]);
    assert!(!ok && said.contains("parts/op.mlspec:3:") && said.contains("mlc::syntax"), "{said}");
    files.write("parts/op.mlspec", "mlspec 1\n\nimport \"net.mlspec\"\n");
    let (ok, said) = files.check(&[]);
    assert!(!ok && said.contains("net.mlspec -> op.mlspec -> net.mlspec"), "{said}");
    fs::remove_file(files.at("parts/op.mlspec")).unwrap();
    let (ok, said) = files.check(&["--no-data"]);
    assert!(!ok && said.contains("mlc::import::missing"), "{said}");
}

#[test]
fn editors_lead_to_the_other_file() {
    let files = Files::new();
    let analysis = files.analysis();
    assert!(analysis.diagnostics.is_empty(), "{:?}", analysis.diagnostics);
    let at = |what: &str| analysis.text().find(what).unwrap() + 1;
    let made = ide::names::definition(&analysis, at("Two(hidden)")).expect("the block is made somewhere");
    assert!(analysis.sources.get(made.file).name.ends_with("parts/net.mlspec"));
    assert_eq!(analysis.sources.slice(made), "Two");
    let file = ide::names::definition(&analysis, at("parts/op.mlspec")).expect("an import leads to its file");
    assert!(analysis.sources.get(file.file).name.ends_with("parts/op.mlspec"));
    let hover = ide::hover::hover(&analysis, at("Two(hidden)")).expect("a block has a text");
    assert!(hover.markdown.contains("A layer, an activation and a layer."), "{}", hover.markdown);
    let refused = ide::names::renameable(&analysis, at("Two(hidden)")).unwrap_err();
    assert!(refused.contains("rename it there"), "{refused}");
    // What lies in the other file is no place in this one.
    let end = analysis.text().len() as u32;
    assert!(analysis.facts.uses.iter().all(|u| u.span.file == analysis.file && u.span.hi <= end));
}
