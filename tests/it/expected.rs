//! `test` sections: what a run must reach, told after training and by `mlc test RUN`.

use crate::support::{Run, mlc, stderr, stdout};
use serde_json::Value as Json;
use std::fs;
use std::path::Path;

/// Two classes on a line, which a few epochs tell apart.
fn spec(expect: &str) -> String {
    format!(
        "mlspec 1\n\ndata t {{\n  source = csv(\"t.csv\")\n  x : standardize\n  y : class(no, yes)\n  split {{ train = 80  valid \
         = 20  test = 20  ordered = true }}\n  batch = 16\n}}\n\nmodel Net {{\n  input row: f32[B, t.features]\n  output \
         logit: f32[B] = row |> Dense(1) as fc |> Squeeze\n}}\n\ntrain {{\n  feed {{ row = t.row  y = t.y }}\n  loss = \
         BinaryCrossEntropy(Net.logit, y)\n  optimizer = SGD(lr=0.5)\n  metrics = [accuracy]\n  epochs = 5\n}}\n\n{expect}\n"
    )
}

fn trained(folder: &Path, expect: &str) -> Run {
    let mut rows = "x,y\n".to_string();
    for x in (0..120).map(|i| i * 37 % 101) {
        rows += &format!("{x},{}\n", if x > 50 { "yes" } else { "no" });
    }
    fs::write(folder.join("t.csv"), rows).expect("the folder is writable");
    let file = folder.join("t.mlspec");
    fs::write(&file, spec(expect)).expect("the folder is writable");
    Run::train(file.to_str().expect("UTF-8"), &[])
}

fn test(run: &Run, more: &[&str]) -> (Option<i32>, String, String) {
    let folder = run.file("").display().to_string();
    let output = mlc(&[&["test", &folder], more].concat());
    (output.status.code(), stdout(&output), stderr(&output))
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).expect("one JSON object")
}

#[test]
fn what_is_reached_is_exit_code_0_and_agrees_with_eval() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = trained(folder.path(), "test floor { expect = [accuracy >= 80%, 5 >= loss] }");
    let (code, out, err) = test(&run, &["--json"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let told = json(&out);
    let eval = mlc(&["eval", &run.file("").display().to_string(), "--json"]);
    let eval = json(&stdout(&eval));
    let of = &told["tests"][0];
    assert_eq!((&told["holds"], &of["test"], &of["split"]), (&true.into(), &"floor".into(), &"test".into()));
    assert_eq!(
        (&of["expect"][0]["reached"], &of["expect"][1]["reached"]),
        (&eval["metrics"]["accuracy"], &eval["loss"])
    );
    assert_eq!((&of["expect"][0]["bound"], &of["expect"][1]["expect"]), (&0.8.into(), &"loss <= 5".into()));
}

#[test]
fn what_is_missed_is_exit_code_1_of_the_test_but_not_of_the_training() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // `Run::train` demands exit code 0.
    let run =
        trained(folder.path(), "test floor {\n  split = valid\n  expect = [accuracy >= 0, loss <= 1e-9]\n}");
    let (code, out, err) = test(&run, &["--json"]);
    assert_eq!(code, Some(1), "{out}{err}");
    let told = json(&out);
    let expect = &told["tests"][0]["expect"];
    assert_eq!((&told["holds"], &told["tests"][0]["split"]), (&false.into(), &"valid".into()));
    assert_eq!((&expect[0]["holds"], &expect[1]["holds"]), (&true.into(), &false.into()));
    let (code, out, _) = test(&run, &[]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("test floor  (valid, 20 rows)\n  accuracy >= 0"), "{out}");
    assert_eq!((out.matches(" reached\n").count(), out.matches(" missed\n").count()), (1, 1), "{out}");
    let again = mlc(&[
        "train",
        "--like",
        &run.file("").display().to_string(),
        "--out",
        &folder.path().join("r").display().to_string(),
    ]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(stderr(&again).ends_with(&out), "{}", stderr(&again));
}

#[test]
fn a_spec_that_asks_for_nothing_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = trained(folder.path(), "");
    let (code, _, err) = test(&run, &[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("no `test` section"), "{err}");
}
