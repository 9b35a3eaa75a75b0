//! `mlc check`: its formats, its fixes, folders and watching.

use crate::schema::problems;
use crate::support::{mlc, root, stderr, stdout};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A layer of another framework, a name misspelt, and a section word misspelt.
const WRONG: &str = "mlspec 1

data corners {
  source = synthetic(xor, rows=4)
}

modle Xor {
  input x: f32[B, 2]
  output logit: f32[B] = x |> Linear(8, activation=tahn) as hidden |> Dense(1) as out |> Squeeze
}

train {
  feed      { x = corners.x  y = corners.y }
  loss      = BinaryCrossEntropy(Xor.logit, y)
  optimizer = Adam(lr=0.05)
  epochs    = 2
}
";

fn code(output: &Output) -> i32 {
    output.status.code().expect("mlc exits")
}

fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder is made");
        fs::write(path, text).expect("a spec is written");
    }
    folder
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

#[test]
fn sarif_is_valid() {
    let output = mlc(&["check", "--format", "sarif", "specs", "grammar/corpus"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let log: Value = serde_json::from_slice(&output.stdout).expect("standard output is JSON");
    let schema = root().join("tests/goldens/sarif-2.1.0.json");
    let schema = fs::read(schema).expect("the schema is there");
    let schema: Value = serde_json::from_slice(&schema).expect("the schema is JSON");
    assert_eq!(problems(&schema, &log), Vec::<String>::new());
    let results = log["runs"][0]["results"].as_array().expect("results are a list");
    assert!(results.len() > 100 && results.iter().any(|r| r["fixes"].is_array()), "{}", results.len());
}

#[test]
fn github_has_a_command_for_each_error() {
    let folder = folder_with(&[("a.mlspec", WRONG)]);
    let output = mlc(&["check", "--format", "github", &path(&folder, "a.mlspec")]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|l| l.starts_with("::error file=")), "{text}");
    assert!(
        text.contains(",line=7,endLine=7,col=1,endColumn=6,title=mlc%3A%3Asection%3A%3Aunknown::"),
        "{text}"
    );
}

#[test]
fn fixes_are_applied_to_the_file() {
    let folder = folder_with(&[("a.mlspec", WRONG)]);
    let file = path(&folder, "a.mlspec");
    let output = mlc(&["check", "--fix", &file]);
    let told = [
        "7:1: write `model`",
        "9:31: write `Dense`",
        // Settings of a layer are looked at once there is such a layer.
        "9:51: write `tanh`",
    ];
    let told: String = told.iter().map(|line| format!("{file}:{line}\n")).collect();
    assert_eq!((code(&output), stderr(&output)), (0, format!("{told}{file}: ok, 3 fixes applied\n")));
    let fixed = fs::read_to_string(&file).expect("the spec is there");
    let right = WRONG.replace("modle", "model").replace("Linear", "Dense").replace("tahn", "tanh");
    assert_eq!(fixed, right);
    let again = mlc(&["check", "--fix", &file]);
    assert_eq!((code(&again), stderr(&again)), (0, format!("{file}: ok\n")));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
}

/// What cannot be fixed stays as it was, and is told.
#[test]
fn a_fix_that_does_not_help_is_not_applied() {
    let text =
        WRONG.replace("modle", "model").replace("Linear(8, activation=tahn)", "Dense(8, activation=unheard)");
    let folder = folder_with(&[("a.mlspec", &text)]);
    let output = mlc(&["check", "--fix", &path(&folder, "a.mlspec")]);
    assert_eq!(code(&output), 1);
    assert_eq!(fs::read_to_string(path(&folder, "a.mlspec")).expect("the spec is there"), text);
}

/// Without quotes the activation is right, and two weights without names come to light: more is wrong until they
/// are named, too.
#[test]
fn what_a_fix_shows_is_fixed_with_it() {
    let text = WRONG.replace("modle", "model");
    let chain = "Linear(8, activation=tahn) as hidden |> Dense(1) as out";
    let text = text.replace(chain, "Dense(8, activation=\"tanh\") |> Dense(1)");
    let folder = folder_with(&[("a.mlspec", &text)]);
    let output = mlc(&["check", "--fix", &path(&folder, "a.mlspec")]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let fixed = fs::read_to_string(path(&folder, "a.mlspec")).expect("the spec is there");
    assert!(fixed.contains("Dense(8, activation=tanh) as fc1 |> Dense(1) as fc2"), "{fixed}");
}

/// A byte order mark is no text; a fix behind it lands where it should, and the mark stays.
#[test]
fn a_mark_of_windows_is_kept() {
    let folder = folder_with(&[("a.mlspec", &format!("\u{feff}{WRONG}"))]);
    let output = mlc(&["check", "--fix", &path(&folder, "a.mlspec")]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let fixed = fs::read_to_string(path(&folder, "a.mlspec")).expect("the spec is there");
    assert!(fixed.starts_with("\u{feff}mlspec 1") && fixed.contains("Dense(8, activation=tanh)"), "{fixed}");
}

/// How many diagnostics each file of a folder has, of the syntax and in all.
fn found(args: &[&str], folder: &str) -> BTreeMap<String, (usize, usize)> {
    let output = mlc(&[&["check", "--no-data", "--format", "json"], args, &[folder]].concat());
    let all: Value = serde_json::from_slice(&output.stdout).expect("standard output is JSON");
    let mut counts = BTreeMap::<String, (usize, usize)>::new();
    for d in all.as_array().expect("an array") {
        let count = counts.entry(d["file"].as_str().expect("a name").to_string()).or_default();
        count.0 += usize::from(d["code"].as_str().is_some_and(|c| c.starts_with("mlc::syntax::")));
        count.1 += 1;
    }
    counts
}

/// A fix never makes more wrong: every broken spec has less after it (a line that parses may show what else is
/// wrong with it), or the same text.
#[test]
fn fixes_of_broken_specs_help() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut files, mut fixed) = (Vec::new(), 0);
    for entry in fs::read_dir(root().join("specs/broken")).expect("specs/broken is there") {
        let from = entry.expect("specs/broken is readable").path();
        if from.extension().is_some_and(|e| e == "mlspec") {
            let file = folder.path().join(from.file_name().expect("a spec has a name"));
            fs::copy(&from, &file).expect("a spec is copied");
            files.push((from, file));
        }
    }
    let name = folder.path().display().to_string();
    let (before, after) = (found(&[], &name), found(&["--fix"], &name));
    assert_eq!(found(&[], &name), after, "the report is of the texts that were written");
    for (from, file) in &files {
        let of = |all: &BTreeMap<_, _>| all.get(&file.display().to_string()).copied().unwrap_or((0, 0));
        let same = fs::read(from).expect("readable") == fs::read(file).expect("readable");
        let (before, after) = (of(&before), of(&after));
        let helped = if same { after == before } else { after < before };
        assert!(helped, "{}: {before:?} to {after:?}", from.display());
        fixed += usize::from(!same);
    }
    assert!(fixed >= 40, "only {fixed} broken specs could be fixed");
}

#[test]
fn a_folder_stands_for_its_specs() {
    let folder = folder_with(&[
        ("b.mlspec", WRONG),
        ("deep/a.mlspec", ""),
        ("deep/notes.txt", "no spec"),
        (".hidden/c.mlspec", WRONG),
    ]);
    let output = mlc(&["check", "--format", "json", &folder.path().display().to_string()]);
    let all: Value = serde_json::from_slice(&output.stdout).expect("standard output is JSON");
    let files: Vec<&str> =
        all.as_array().expect("an array").iter().map(|d| d["file"].as_str().expect("a name")).collect();
    assert_eq!((code(&output), files.len()), (1, 3), "{files:?}");
    assert!(
        files[..2].iter().all(|f| f.ends_with("b.mlspec")) && files[2].ends_with("a.mlspec"),
        "{files:?}"
    );
}

#[test]
fn data_are_left_alone_on_request() {
    let text = WRONG.replace("modle", "model").replace("Linear", "Dense").replace("tahn", "tanh");
    let text = text.replace("synthetic(xor, rows=4)", "csv(\"table.csv\")");
    let folder = folder_with(&[("a.mlspec", &text), ("table.csv", "a,b\n1,2\n")]);
    let looked = mlc(&["check", &path(&folder, "a.mlspec")]);
    assert!(code(&looked) == 1 && stderr(&looked).contains("no column `x`"), "{}", stderr(&looked));
    let blind = mlc(&["check", "--no-data", &path(&folder, "a.mlspec")]);
    assert!(
        !stderr(&blind).contains("no column") && !stderr(&blind).contains("not here"),
        "{}",
        stderr(&blind)
    );
}

#[test]
fn standard_input_cannot_be_fixed_or_watched() {
    for option in ["--fix", "--watch"] {
        let output = mlc(&["check", option, "-"]);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(option), "{}", stderr(&output));
    }
}

/// The report comes again when the file changes; the test reads each as it comes.
#[test]
fn watching_checks_again() {
    let folder = folder_with(&[("a.mlspec", WRONG)]);
    let file = path(&folder, "a.mlspec");
    let mut child = Command::new(env!("CARGO_BIN_EXE_mlc"))
        .args(["check", "--watch", &file])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map(Watching)
        .expect("mlc starts");
    let mut lines = BufReader::new(child.0.stderr.take().expect("a pipe")).lines();
    let mut verdict = || {
        let of_file = |l: &String| l.starts_with(&file);
        let found = lines.by_ref().map(|l| l.expect("mlc prints text")).find(of_file);
        found.expect("a verdict comes before the end")
    };
    assert_eq!(verdict(), format!("{file}: 2 errors"));
    save(Path::new(&file), &WRONG.replace("modle", "model"));
    assert_eq!(verdict(), format!("{file}: 1 error"));
}

/// A process that would never end, and does with the test.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended by itself, and the test tells why.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// As editors do: beside the file, then renamed.
fn save(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).expect("a spec is written");
    fs::rename(&beside, file).expect("a spec is renamed");
}

/// A label that is wrong behind the first rows, in a table of that many rows.
fn late_label(rows: usize) -> String {
    let row = |i: usize| format!("{},{}\n", i % 7, if i + 10 == rows { 12 } else { i % 10 });
    std::iter::once("pixel,label\n".to_string()).chain((0..rows).map(row)).collect()
}

const TABLE: &str = "mlspec 1

data table {
  source = csv(\"rows.csv\")
  label : class(10)
  pixel : float
  split { train = 80%  valid = 20% }
}

model Net {
  input x: f32[B, table.features]
  output logits: f32[B, 10] = x |> Dense(10) as out
}

train {
  feed      { x = table.row  label = table.label }
  loss      = CrossEntropy(Net.logits, label)
  optimizer = Adam(lr=1e-3)
  epochs    = 3
}
";

#[test]
fn rows_are_read_where_that_is_quick_or_asked_for() {
    let small = folder_with(&[("net.mlspec", TABLE), ("rows.csv", &late_label(20_000))]);
    let large = folder_with(&[("net.mlspec", TABLE), ("rows.csv", &late_label(200_000))]);
    let check = |folder: &tempfile::TempDir, args: &[&str]| {
        mlc(&[&["check", &path(folder, "net.mlspec")], args].concat())
    };
    for (folder, args) in [(&small, [].as_slice()), (&large, &["--every-row"])] {
        let output = check(folder, args);
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        assert!(stderr(&output).contains("12"), "{}", stderr(&output));
    }
    for (folder, args) in [(&small, ["--no-data"].as_slice()), (&large, &[])] {
        assert_eq!(code(&check(folder, args)), 0);
    }
}

#[test]
fn two_points_stand_for_all_other_axes() {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("axes.mlspec");
    let text = "mlspec 1

data d {
  source = synthetic(images, height=4, width=5, channels=1, classes=3, rows=100)
  image  = image / 2
}

block Parts(image: f32[B, 4, 5, 1]) -> (a: f32[B, 4, 5], b: f32[B, 5, 1], c: f32[B, 4]) {
  output a = image[.., 0]
  output b = image[:, 1, ..]
  output c = image[:, .., -1, 0]
}

model Net {
  input image: f32[B, 4, 5, 1]
  input whole: f32[B, 4, 5]
  let a, b, c = image |> Parts
  output logits: f32[B, 3] =
    concat(a |> Flatten, b |> Flatten, c, whole |> Flatten) |> Dense(3) as out
}

train {
  feed      { image = d.image  whole = d.image[.., 0]  label = d.label }
  loss      = CrossEntropy(Net.logits, label)
  optimizer = SGD(lr=0.01)
  epochs    = 1
}
";
    fs::write(&spec, text).unwrap();
    let spec = spec.display().to_string();
    let output = mlc(&["check", &spec]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(mlc(&["fmt", "--check", &spec]).status.success(), "the formatter keeps it");
    assert!(mlc(&["render", "--json", &spec]).status.success());
}
