//! Labels that a loss does not understand are an error with file, row and value: such rows would
//! add nothing to the loss, or nonsense, in silence.

use crate::support::{Run, mlc, stderr};
use std::fs;

/// The rows of the table: a number, a label that counts from 1, one of two signs, a word.
fn table() -> String {
    let row = |i: usize| format!("{i},{},{},{}\n", i % 3 + 1, [-1, 1][i % 2], ["a", "b", "c"][i % 3]);
    format!("x,id,sign,word\n{}", (0..30).map(row).collect::<String>())
}

/// The exit code and what is said when `label` is trained by `loss` with so many logits.
fn train(label: &str, loss: &str, logits: usize) -> (Option<i32>, String) {
    let output = match loss {
        "CrossEntropy" => {
            format!("output o: f32[B, {logits}] = x |> Reshape(1) |> Dense({logits}) as d")
        }
        _ => "output o: f32[B] = x |> Reshape(1) |> Dense(1) as d |> Squeeze".to_string(),
    };
    said(label, &output, "y = t.y", &format!("{loss}(M.o, y)"))
}

/// What is said of a spec on the table when it trains.
fn said(columns: &str, output: &str, feed: &str, loss: &str) -> (Option<i32>, String) {
    let spec = format!(
        "mlspec 1\n\ndata t {{\n  source = csv(\"t.csv\")\n  x : minmax\n  {columns}\n}}\n\n\
         model M {{\n  input x: f32[B]\n  {output}\n}}\n\n\
         train {{\n  feed {{ x = t.x  {feed} }}\n  loss = {loss}\n  optimizer = SGD(lr=0.01)\n  epochs = 1\n}}\n"
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), table()).unwrap();
    let file = folder.path().join("t.mlspec");
    fs::write(&file, spec).unwrap();
    let out = folder.path().join("run");
    let done = mlc(&["train", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    let flat = stderr(&done).lines().map(|l| l.trim_start_matches(['|', ' '])).collect::<Vec<_>>().join(" ");
    (done.status.code(), flat)
}

#[test]
fn ids_that_no_logit_stands_for_are_refused() {
    let (code, said) = train("y = id |> int", "CrossEntropy", 3);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("t.csv:4:3: `3` in column `y` is not from 0 to 2, which `CrossEntropy` wants"),
        "{said}"
    );
    assert!(said.contains("(and 9 values more like it)"), "{said}");
    assert!(said.contains("list the classes, which numbers them from 0: `y : class(1, 2, 3)`"), "{said}");
    let (_, said) = train("y = id |> int", "CrossEntropy", 2);
    assert!(said.contains("`y : class(1, 2, 3)`, and make the last layer 3 wide"), "{said}");
    let (code, said) = train("y = word |> class", "CrossEntropy", 2);
    assert_eq!(code, Some(1), "classes that only the data know are counted too: {said}");
    assert!(said.contains("t.csv:4:8: `c` (2 as it is fed)"), "{said}");
    assert!(said.contains("make the last layer 3 wide"), "{said}");
}

#[test]
fn labels_of_a_binary_loss_are_shares() {
    let (code, said) = train("y = sign |> float", "BinaryCrossEntropy", 1);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("t.csv:2:5: `-1` in column `y` is not from 0 to 1"), "{said}");
    assert!(said.contains("`y : class(-1, 1)`"), "{said}");
    let (_, said) = train("y = id |> int", "BinaryCrossEntropy", 1);
    assert!(said.contains("for 3 classes use `CrossEntropy` with 3 logits"), "{said}");
    let (_, said) = train("y = word |> class", "BinaryCrossEntropy", 1);
    assert!(said.contains("for 3 classes use `CrossEntropy`"), "{said}");
    let (_, said) = train("y = id |> standardize", "BinaryCrossEntropy", 1);
    assert!(said.contains("`1` (-1.2247449 as it is fed)"), "{said}");
}

#[test]
fn labels_in_range_train() {
    for (label, loss) in [
        ("y = id |> int", "MeanSquaredError"),
        ("y = id |> minmax", "BinaryCrossEntropy"),
        ("y = sign |> class", "BinaryCrossEntropy"),
        ("y = id |> class(1, 2, 3)", "CrossEntropy"),
        ("y = id |> class(3, 2, 1.0)", "CrossEntropy"),
        ("y = sign |> class(-1, 1)", "BinaryCrossEntropy"),
    ] {
        let (code, said) = train(label, loss, 3);
        assert_eq!(code, Some(0), "{label} by {loss}: {said}");
    }
}

/// A spec on the same table with a weight of rows, and what is said when it trains.
fn train_on(columns: &str, feed: &str, loss: &str) -> (Option<i32>, String) {
    said(columns, "output o: f32[B, 3] = x |> Reshape(1) |> Dense(3) as d", feed, loss)
}

#[test]
fn weights_of_rows_are_not_negative() {
    let columns = "y = word |> class(a, b, c)\n  w = sign |> float";
    let (code, said) = train_on(columns, "y = t.y  w = t.w", "CrossEntropy(M.o, y, weight=w)");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("t.csv:2:5: `-1` in column `w` is not at least 0"), "{said}");
}

#[test]
fn rows_to_ignore_may_have_a_label_of_their_own() {
    // Ids are 1, 2 and 3: the last stands for no logit.
    let (code, said) = train_on("y = id |> int", "y = t.y", "CrossEntropy(M.o, y, ignore=3)");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = train_on("y = id |> int", "y = t.y", "CrossEntropy(M.o, y, ignore=2)");
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn metrics_ignore_what_the_loss_does() {
    // The third logit is the largest by far for every row, so that a third of all labels is met.
    let accuracy = |ignore: &str| {
        let spec = format!(
            "mlspec 1\n\ndata t {{\n  source = csv(\"t.csv\")\n  x = x / 30\n  y = id |> int\n  valid = csv(\"t.csv\")\n  allow = [duplicates]\n}}\n\n\
             model M {{\n  input x: f32[B]\n  let d = x |> Reshape(1) |> Dense(4) as d\n  \
             output o: f32[B, 4] = d * 0 + concat(d[:, :2] * 0, d[:, :1] * 0 + 9, d[:, :1] * 0, axis=-1)\n}}\n\n\
             train {{\n  feed {{ x = t.x  y = t.y }}\n  loss = CrossEntropy(M.o, y{ignore})\n  optimizer = SGD(lr=0.01)\n  \
             metrics = [accuracy, log_loss]\n  epochs = 1\n}}\n"
        );
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("t.csv"), table()).unwrap();
        let file = folder.path().join("t.mlspec");
        fs::write(&file, spec).unwrap();
        let trained = Run::train(file.to_str().unwrap(), &[]);
        let records = trained.records();
        let valid = records.iter().rfind(|r| r["split"] == "valid").expect("a validation").clone();
        [&valid["metrics"]["accuracy"], &valid["metrics"]["log_loss"], &valid["loss"]]
            .map(|x| x.as_f64().unwrap())
    };
    // Ids are 1, 2 and 3, ten of each, and 2 is what the model says.
    let [all, _, _] = accuracy("");
    assert!((all - 1.0 / 3.0).abs() < 1e-6, "{all}");
    let [half, log_loss, loss] = accuracy(", ignore=3");
    assert!((half - 0.5).abs() < 1e-6, "{half}");
    assert!((log_loss - loss).abs() < 1e-5 * loss, "{log_loss} is not {loss}");
    let [none, _, _] = accuracy(", ignore=2");
    assert_eq!(none, 0.0);
}

#[test]
fn ids_without_a_row_of_weights_are_refused() {
    let output = "output o: f32[B] = x |> Embedding(3, 2) as e |> Dense(1) as d |> Squeeze";
    let spec = |rows: usize| {
        let output = output.replace("Embedding(3", &format!("Embedding({rows}"));
        let spec = format!(
            "mlspec 1\n\ndata t {{\n  source = csv(\"t.csv\")\n  i = id |> int\n}}\n\nmodel M {{\n  input x: i32[B]\n  \
             {output}\n}}\n\ntrain {{\n  feed {{ x = t.i }}\n  loss = mean(M.o)\n  optimizer = SGD(lr=0.01)\n  epochs = \
             1\n}}\n"
        );
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("t.csv"), table()).unwrap();
        let file = folder.path().join("t.mlspec");
        fs::write(&file, spec).unwrap();
        let out = folder.path().join("run");
        let done = mlc(&["train", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        let said = stderr(&done);
        (
            done.status.code(),
            said.lines().map(|l| l.trim_start_matches(['|', ' '])).collect::<Vec<_>>().join(" "),
        )
    };
    let (code, said) = spec(3);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("t.csv:4:3: `3` in column `i` is not from 0 to 2, which `Embedding` wants"),
        "{said}"
    );
    assert!(said.contains("`Embedding(4, …)`"), "{said}");
    assert_eq!(spec(4).0, Some(0));
}
