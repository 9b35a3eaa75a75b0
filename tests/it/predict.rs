//! `mlc predict`: what a run answers for rows of other files is what its evaluation counted.

use crate::support::{Run, large_data, root, run, spec};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Rows of the irises, `kind` by name, every third apart as test rows; with a header.
fn irises(folder: &Path) {
    let text = std::fs::read_to_string(root().join("specs/data/iris.csv")).unwrap();
    let header = "sepal_length,sepal_width,petal_length,petal_width,kind\n";
    let (mut train, mut test) = (header.to_string(), header.to_string());
    for (i, line) in text.lines().skip(1).enumerate() {
        let (lengths, kind) = line.rsplit_once(',').unwrap();
        let kind = ["setosa", "versicolor", "virginica"][kind.parse::<usize>().unwrap()];
        let rows = if i % 3 == 0 { &mut test } else { &mut train };
        *rows += &format!("{lengths},{kind}\n");
    }
    std::fs::write(folder.join("train.csv"), train).unwrap();
    std::fs::write(folder.join("test.csv"), test).unwrap();
}

const SPEC: &str = "\
mlspec 1

data iris {
  source = csv(\"train.csv\")
  test   = csv(\"test.csv\")
  sepal_length, sepal_width, petal_length : standardize
  petal_width : bins(4) |> one_hot
  kind : class
  batch = 16
}

model Two {
  input row: f32[B, iris.features]
  let h = row |> Dense(16, activation=relu) as fc
  output kind: f32[B, 3] = h |> Dense(3) as kind
  output length: f32[B] = h |> Dense(1) as length |> Squeeze
}

train {
  feed      { row = iris.row  kind = iris.kind  sepal_length = iris.sepal_length }
  loss      = CrossEntropy(Two.kind, kind) + MeanSquaredError(Two.length, sepal_length)
  optimizer = Adam(lr=0.01)
  metrics   = [accuracy(Two.kind, kind), log_loss(Two.kind, kind), rmse(Two.length, sepal_length)]
  epochs    = 20
}
";

struct Trained {
    run: Run,
    folder: tempfile::TempDir,
}

fn trained() -> Trained {
    let folder = tempfile::tempdir().unwrap();
    irises(folder.path());
    let spec = folder.path().join("two.mlspec");
    std::fs::write(&spec, SPEC).unwrap();
    let run = Run::train(&spec.display().to_string(), &[]);
    Trained { run, folder }
}

impl Trained {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the command and gives its output, whether it succeeds or not.
    fn output(&self, args: &[&str], stdin: &str) -> Output {
        let run = self.run.file("").display().to_string();
        let mut child = Command::new(env!("CARGO_BIN_EXE_mlc"))
            .args([&["predict", &run], args].concat())
            .env_remove("MLC_DATA")
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What it writes to standard output as CSV.
    fn predict(&self, args: &[&str]) -> Vec<Vec<String>> {
        let output = self.output(args, "");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        cells(&String::from_utf8(output.stdout).unwrap())
    }
}

fn cells(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(',').map(str::to_string).collect()).collect()
}

fn column(rows: &[Vec<String>], name: &str) -> Vec<String> {
    let at = rows[0].iter().position(|n| n == name).unwrap_or_else(|| panic!("no {name} in {:?}", rows[0]));
    rows[1..].iter().map(|row| row[at].clone()).collect()
}

fn numbers(rows: &[Vec<String>], name: &str) -> Vec<f64> {
    column(rows, name).iter().map(|cell| cell.parse().unwrap()).collect()
}

#[test]
fn predictions_are_what_the_evaluation_counted() {
    let trained = trained();
    let rows = trained.predict(&["--input", "test.csv"]);
    let (kind, answer) = (column(&rows, "kind"), column(&rows, "predicted.kind"));
    assert_eq!(kind.len(), 50);
    let right = kind.iter().zip(&answer).filter(|(a, b)| a == b).count() as f64;
    assert_eq!(right / 50.0, trained.run.test_metric("accuracy"));
    // The probability of the class that it is.
    let shares = |name: &str| numbers(&rows, &format!("prob.{name}"));
    let [setosa, versicolor, virginica] = ["setosa", "versicolor", "virginica"].map(shares);
    let loss: f64 = (0..50)
        .map(|i| match kind[i].as_str() {
            "setosa" => -setosa[i].ln(),
            "versicolor" => -versicolor[i].ln(),
            _virginica => -virginica[i].ln(),
        })
        .sum();
    let wanted = trained.run.test_metric("log_loss");
    assert!((loss / 50.0 - wanted).abs() < 1e-5, "{} {wanted}", loss / 50.0);
    for i in 0..50 {
        assert!((setosa[i] + versicolor[i] + virginica[i] - 1.0).abs() < 1e-6);
    }
    // The length is in centimetres again, as in the metric.
    let (length, guess) = (numbers(&rows, "sepal_length"), numbers(&rows, "predicted.sepal_length"));
    let squares: f64 = length.iter().zip(&guess).map(|(a, b)| (a - b) * (a - b)).sum();
    let (rmse, wanted) = ((squares / 50.0).sqrt(), trained.run.test_metric("rmse"));
    assert!((rmse - wanted).abs() < 1e-5, "{rmse} {wanted}");
}

#[test]
fn batches_threads_and_missing_labels_change_nothing() {
    let trained = trained();
    let keep = ["--keep", "", "--input"];
    let all = trained.predict(&[&keep[..], &["test.csv"]].concat());
    assert_eq!(all[0], ["kind", "prob.setosa", "prob.versicolor", "prob.virginica", "sepal_length"]);
    for more in [["--batch", "7"], ["--batch", "1"], ["--batch", "1000"], ["--threads", "1"]] {
        assert_eq!(trained.predict(&[&keep[..], &["test.csv"], &more].concat()), all, "{more:?}");
    }
    // The data that it was trained on are not needed, and neither is the label.
    let text = std::fs::read_to_string(trained.path("test.csv")).unwrap();
    let bare: Vec<&str> = text.lines().map(|line| line.rsplit_once(',').unwrap().0).collect();
    std::fs::write(trained.path("bare.csv"), bare.join("\n")).unwrap();
    std::fs::remove_file(trained.path("train.csv")).unwrap();
    std::fs::remove_file(trained.path("test.csv")).unwrap();
    assert_eq!(trained.predict(&[&keep[..], &["bare.csv"]].concat()), all);
    let piped = trained.output(&["--input", "-", "--keep", ""], &bare.join("\n"));
    assert_eq!(cells(&String::from_utf8(piped.stdout).unwrap()), all);
    let kept = trained.predict(&["--input", "bare.csv", "--keep", "petal_length,sepal_length"]);
    assert_eq!(kept[0][..3], ["petal_length", "sepal_length", "kind"]);
    assert_eq!(kept[0].last().unwrap(), "predicted.sepal_length");
}

#[test]
fn every_format_goes_in_and_out() {
    let trained = trained();
    let all = trained.predict(&["--input", "test.csv"]);
    let again = |input: &str, output: &str| {
        let keep = "sepal_length,sepal_width,petal_length,petal_width,kind";
        let done = trained.output(&["--input", input, "--output", output, "--keep", keep], "");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    again("test.csv", "a.jsonl");
    let line = std::fs::read_to_string(trained.path("a.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    assert!(line["sepal_length"].is_number() && line["kind"].is_string(), "{line}");
    // What was kept is input again, and the same is predicted.
    let mut formats = vec!["a.jsonl", "b.tsv"];
    formats.extend(cfg!(feature = "parquet").then_some("c.parquet"));
    for pair in formats.windows(2) {
        again(pair[0], pair[1]);
    }
    let last = trained.predict(&["--input", formats[formats.len() - 1], "--keep", "kind"]);
    for (now, then) in
        [("kind", "kind"), ("predicted.kind", "predicted.kind"), ("prob.setosa", "prob.setosa")]
    {
        assert_eq!(column(&last, now), column(&all, then), "{now}");
    }
}

#[test]
fn bad_rows_are_told_or_left_out() {
    let trained = trained();
    let text = "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n5.0,many,1.5,0.2\n6.1,2.8,,1.3\n\
                6.3,3.3,6.0,2.5\n";
    std::fs::write(trained.path("bad.csv"), text).unwrap();
    let strict = trained.output(&["--input", "bad.csv", "--output", "out.csv"], "");
    let said = String::from_utf8(strict.stderr).unwrap();
    assert_eq!(strict.status.code(), Some(1), "{said}");
    assert!(said.contains("bad.csv:3:5") && said.contains("bad.csv:4:9"), "{said}");
    assert!(!trained.path("out.csv").exists(), "nothing is half there");
    let skipping = trained.output(&["--input", "bad.csv", "--output", "out.csv", "--skip-bad"], "");
    let said = String::from_utf8(skipping.stderr).unwrap();
    assert!(skipping.status.success(), "{said}");
    assert!(said.contains("left out bad.csv:3:5: `many` in column `sepal_width` is not a number"), "{said}");
    assert!(said.contains("left out bad.csv:4:9:") && said.contains("2 rows, 2 rows left out"), "{said}");
    let rows = cells(&std::fs::read_to_string(trained.path("out.csv")).unwrap());
    assert_eq!(column(&rows, "sepal_length"), ["5.1", "6.3"]);
    assert_eq!(column(&rows, "kind"), ["setosa", "virginica"]);
    let wrong = trained.output(&["--input", "bad.csv", "--keep", "petal_lenght"], "");
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("did you mean `petal_length`?"));
}

#[test]
fn a_file_without_a_header_may_lack_the_label_or_have_a_header() {
    let run_of = Run::train(&spec("wdbc"), &["--set", "train.epochs=1"]);
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(root().join("specs/data/wdbc.data")).unwrap();
    let unlabelled = text.lines().take(40).map(|line| {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells.remove(1);
        cells.join(",") + "\n"
    });
    let files = [text.lines().take(40).map(|l| format!("{l}\n")).collect::<String>(), unlabelled.collect()];
    let mut all = Vec::new();
    for (i, text) in files.iter().enumerate() {
        let path = folder.path().join(format!("{i}.csv"));
        std::fs::write(&path, text).unwrap();
        let input = path.display().to_string();
        all.push(run(&[
            "predict",
            &run_of.file("").display().to_string(),
            "--input",
            &input,
            "--keep",
            "id",
        ]));
    }
    assert_eq!(all[0], all[1]);
    let rows = cells(&all[0]);
    assert_eq!(rows[0], ["id", "diagnosis", "prob.B", "prob.M"]);
    let positive = numbers(&rows, "prob.M");
    assert!(column(&rows, "diagnosis").iter().zip(positive).all(|(class, p)| (class == "M") == (p > 0.5)));
}

#[test]
fn passengers_that_nobody_labelled_are_predicted() {
    let Some(data) = large_data("passengers_that_nobody_labelled_are_predicted") else { return };
    let trained = Run::train(&spec("titanic"), &["--data", &data, "--set", "train.epochs=3"]);
    let input = format!("{data}/tabular/titanic/test.csv");
    let place = trained.file("").display().to_string();
    let out = run(&["predict", &place, "--input", &input, "--skip-bad", "--keep", "PassengerId"]);
    let rows = cells(&out);
    assert_eq!(rows[0], ["PassengerId", "Survived", "prob.0", "prob.1"]);
    // One passenger has no fare, and nothing was said of such.
    assert_eq!(rows.len() - 1, 417);
    assert!(column(&rows, "PassengerId").iter().all(|id| id != "1044"));
}

/// A series whose next value is known: twice the last less the one before, a straight line.
fn series(from: usize, rows: usize) -> String {
    let line = |i: usize| format!("{i},{}\n", (i % 50) as f64 / 25.0 - 1.0);
    format!("id,x\n{}", (from..from + rows).map(line).collect::<String>())
}

const WINDOWED: &str = "\
mlspec 1

data d {
  source = csv(\"train.csv\")
  x      = x |> float |> windows(4)
  split  { train = 80%  valid = 20%  ordered = true }
  batch  = 16
}

model M {
  input x: f32[B, 3]
  output next: f32[B] = x |> Dense(1) as fc |> Squeeze
}

train {
  feed      { x = d.x[:-1]  y = d.x[-1] }
  loss      = MeanSquaredError(M.next, y)
  optimizer = SGD(lr=0.1)
  epochs    = 2
}
";

#[test]
fn windows_of_a_table_have_answers_beside_their_last_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("train.csv"), series(0, 200)).unwrap();
    std::fs::write(path("t.mlspec"), WINDOWED).unwrap();
    let run = Run::train(&path("t.mlspec").display().to_string(), &[]);
    let answers = |rows: &str| {
        std::fs::write(path("in.csv"), rows).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlc"));
        command.args(["predict", &run.file("").display().to_string(), "--input"]).arg(path("in.csv"));
        let out = command.output().unwrap();
        (out.status.success(), String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    // Three rows are read, and the fourth of a window is what they are to predict.
    let (_, few, said) = answers(&series(0, 5));
    let lines: Vec<&str> = few.lines().collect();
    assert_eq!(lines.len(), 1 + 3, "{few}{said}");
    assert!(lines[0] == "id,x,y" && lines[1].starts_with("2,") && lines[3].starts_with("4,"), "{few}");
    let (_, three, _) = answers(&series(2, 3));
    assert_eq!(three.lines().nth(1), Some(lines[3]), "an answer depends on its rows alone");
    let (done, _, said) = answers(&series(0, 2));
    assert!(!done && said.contains("an answer is made of 3 rows, and the input has 2"), "{said}");

    // A file of several pieces: no answer is lost where they meet.
    let (_, many, _) = answers(&series(0, 500_000));
    let ids: Vec<usize> =
        many.lines().skip(1).map(|l| l.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(ids.iter().copied().eq(2..500_000));
    let of = |line: &str| line.rsplit(',').next().unwrap().to_string();
    let numbers: Vec<String> = many.lines().skip(1).map(of).collect();
    assert!(numbers.iter().skip(50).zip(&numbers).all(|(a, b)| a == b), "the series repeats every 50 rows");
}
