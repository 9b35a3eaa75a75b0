//! `mlc eval RUN --input FILE`: other rows with labels, through what the training rows decided.

use crate::support::{Run, mlc, stderr, stdout};
use serde_json::Value as Json;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Rows of a table whose label goes with `x` and `town`; every seventh lacks `x`.
fn rows(range: std::ops::Range<usize>, header: &str) -> String {
    let mut text = format!("{header}\n");
    for i in range {
        let (x, town) = (i * 37 % 101, ["York", "Hull", "Bath"][i * 5 % 3]);
        let y = if x + 20 * (i * 5 % 3) > 60 { "yes" } else { "no" };
        let x = if i % 7 == 3 { String::new() } else { x.to_string() };
        let cells: Vec<String> = header
            .split(',')
            .map(|name| match name {
                "x" => x.clone(),
                "town" => town.to_string(),
                "y" => y.to_string(),
                _ => i.to_string(),
            })
            .collect();
        let _ = writeln!(text, "{}", cells.join(","));
    }
    text
}

const SPEC: &str = "mlspec 1\n\ndata t {\n  source = csv(\"t.csv\")\n  x : impute(mean) |> standardize\n  town : one_hot\n  \
                    y : class(no, yes)\n  split { train = 80  valid = 20  test = 20  ordered = true }\n  batch = 16\n}\n\n\
                    model Net {\n  input row: f32[B, t.features]\n  output logit: f32[B] = row |> Dense(4, activation=tanh) as \
                    fc1 |> Dense(1) as fc2 |> Squeeze\n}\n\ntrain {\n  feed { row = t.row  y = t.y }\n  loss = \
                    BinaryCrossEntropy(Net.logit, y)\n  optimizer = SGD(lr=0.3)\n  schedule = cosine(warmup=10)\n  metrics = \
                    [accuracy, auc, confusion, accuracy by town]\n  epochs = 5\n}\n";

fn trained(folder: &Path) -> Run {
    fs::write(folder.join("t.csv"), rows(0..120, "x,town,y")).expect("the folder is writable");
    let spec = folder.join("t.mlspec");
    fs::write(&spec, SPEC).expect("the folder is writable");
    Run::train(spec.to_str().expect("UTF-8"), &[])
}

fn eval(run: &Run, more: &[&str]) -> (Option<i32>, String, String) {
    let folder = run.file("").display().to_string();
    let output = mlc(&[&["eval", &folder], more].concat());
    (output.status.code(), stdout(&output), stderr(&output))
}

fn report(run: &Run, more: &[&str]) -> Json {
    let (code, out, err) = eval(run, &[more, &["--json"]].concat());
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).expect("one JSON object")
}

#[test]
fn the_rows_of_a_split_as_a_file_give_what_the_split_gave() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = trained(folder.path());
    let of_split = report(&run, &["--split", "test", "--data", folder.path().to_str().expect("UTF-8")]);
    // Other columns, in another order; the data of the training are gone.
    fs::write(folder.path().join("new.csv"), rows(100..120, "id,y,town,x")).expect("the folder is writable");
    fs::remove_file(folder.path().join("t.csv")).expect("it is there");
    let new = folder.path().join("new.csv").display().to_string();
    let of_file = report(&run, &["--input", &new]);
    assert_eq!(of_file["input"], Json::from(new.as_str()));
    assert_eq!((&of_split["split"], &of_file["split"]), (&Json::from("test"), &Json::Null));
    for same in ["loss", "metrics", "rows", "weights_hash", "weights_of"] {
        assert_eq!(of_file[same], of_split[same], "{same}");
    }
    let (code, out, _) = eval(&run, &["--input", &new]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("input  loss ") && out.contains("(20 rows, weights of step 25)"), "{out}");
    // Other formats, read as their endings say or as is said.
    let text = fs::read_to_string(&new).expect("just written").replace(',', "\t");
    fs::write(folder.path().join("new.txt"), text).expect("the folder is writable");
    let tabs = folder.path().join("new.txt").display().to_string();
    let of_tabs = report(&run, &["--input", &tabs, "--input-format", "tsv"]);
    assert_eq!(of_tabs["metrics"], of_split["metrics"]);
}

#[test]
fn what_is_wrong_with_the_file_is_said_with_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = trained(folder.path());
    let new = folder.path().join("new.csv").display().to_string();
    let said = |text: String| {
        fs::write(&new, text).expect("the folder is writable");
        let (code, _, err) = eval(&run, &["--input", &new]);
        assert_eq!(code, Some(1), "{err}");
        err.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let told = said(rows(0..9, "x,town"));
    assert!(told.contains("mlc::data::column") && told.contains("new.csv has no column `y`"), "{told}");
    let told = said(rows(0..9, "x,town,y").replace("York", "Leeds"));
    assert!(told.contains("new.csv:2:3: `Leeds` in column `town` occurs in no training row"), "{told}");
    let told = said(rows(0..9, "x,town,y").replace("yes", "maybe"));
    assert!(told.contains("mlc::data::class") && told.contains("`maybe`"), "{told}");
    let told = said("x,town,y\n".to_string());
    assert!(told.contains("mlc::data::empty"), "{told}");
    let (code, _, told) = eval(&run, &["--input", &new, "--split", "test"]);
    assert_eq!(code, Some(2), "{told}");
}
