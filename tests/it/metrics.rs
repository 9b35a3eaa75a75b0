//! Metrics over whole splits: exact whatever the batches, and those of scikit-learn
//! (tests/goldens/metrics.py).

use crate::support::{Run, spec};
use mlc::base::{DType, Shape, Sources, Span, TensorType};
use mlc::graph::interp::{self, Inputs, Tensor};
use mlc::graph::{Builder, OutputKind};
use mlc::ops::AttrValue;
use mlc::ops::formula::{Given, Item};
use mlc::ops::metric::{self, Figure, Over, Tally};
use mlc::ops::{Framework, Library};
use serde_json::{Value as Json, json};
use std::fmt::Write;

#[test]
fn a_share_of_rows_is_the_nearest_number_to_the_fraction() {
    let mut seen = 0;
    for batch in ["7", "16", "64"] {
        let run = Run::train(&spec("iris"), &["--steps", "40", "--set", &format!("iris.batch={batch}")]);
        let yaml = std::fs::read_to_string(run.file("run.yaml")).unwrap();
        let yaml: serde_yaml::Value = serde_yaml::from_str(&yaml).unwrap();
        for record in run.records().iter().filter(|r| !r["metrics"]["accuracy"].is_null()) {
            let rows = yaml["rows"][record["split"].as_str().unwrap()].as_f64().unwrap();
            let accuracy = record["metrics"]["accuracy"].as_f64().unwrap();
            let right = (accuracy * rows).round();
            assert_eq!(accuracy, right / rows, "batches of {batch}: {record}");
            seen += u32::from(accuracy.fract() != 0.0);
        }
    }
    assert!(seen > 3, "only {seen} fractions");
}

fn goldens() -> Json {
    serde_json::from_str(include_str!("../goldens/metrics.json")).expect("the goldens are JSON")
}

/// The numbers of rows, however they are nested.
fn flat(json: &Json) -> Vec<f64> {
    match json {
        Json::Array(items) => items.iter().flat_map(flat).collect(),
        Json::Null => vec![f64::NAN],
        other => vec![other.as_f64().expect("a number")],
    }
}

/// `f1(average=macro)` or `top_k(2)`, as checking would hand it on.
fn named(text: &str) -> (&'static metric::MetricDef, Vec<AttrValue>) {
    let (name, settings) = text.split_once('(').expect("a call");
    let def = metric::find(name).expect("a metric");
    let setting = match settings.trim_end_matches(')') {
        "" => AttrValue::None,
        word if word.contains('=') => AttrValue::Word(word.split_once('=').expect("a setting").1.to_string()),
        k => AttrValue::Size(k.parse::<i64>().expect("a number").into()),
    };
    (def, def.sig.attrs.iter().map(|_| setting.clone()).collect())
}

fn tensor(rows: &[Json]) -> Tensor {
    let axes = match &rows[0] {
        Json::Array(row) => vec![rows.len(), row.len()],
        _number => vec![rows.len()],
    };
    Tensor::new(axes, rows.iter().flat_map(flat).collect::<Vec<f64>>())
}

/// The metric of the rows of a case in batches of so many, by the interpreter.
fn computed(lib: &Library, case: &Json, text: &str, labels: DType, batch: usize) -> Figure {
    let (def, settings) = named(text);
    let rows =
        |name: &str| case[name].as_array().expect("rows").chunks(batch).map(tensor).collect::<Vec<_>>();
    let file = Sources::new().add("case", None, text);
    let span = Span::new(file, 0, text.len());
    let mut tally = None;
    for (prediction, label) in rows("prediction").into_iter().zip(rows("label")) {
        let mut b = Builder::new("metric");
        let shape = |t: &Tensor| Shape::from(t.shape.as_slice());
        let given = |v| Given { name: None, value: Item::Tensor(v), span };
        let p = b.batch("prediction", TensorType::f32(shape(&prediction)));
        let l = b.batch("label", TensorType::new(labels, shape(&label)));
        let score =
            metric::build(lib, &mut b, def, &settings, [given(p), given(l)], (Over::Batch, None), span)
                .expect(text);
        score.parts.iter().for_each(|part| b.output(part.name, part.value, OutputKind::Metric));
        let leaves = [("prediction".to_string(), prediction), ("label".to_string(), label)];
        let inputs = Inputs { leaves: leaves.into(), ..Inputs::default() };
        let parts: Vec<f32> =
            interp::run(&b.finish(), &inputs).iter().flat_map(|t| &t.data).map(|x| *x as f32).collect();
        let count = score.count.as_const().expect("rows are known") as f64;
        let classes = score.classes.as_const().expect("classes are known") as usize;
        tally.get_or_insert_with(|| Tally::new(score.finish, classes)).add(&parts, count);
    }
    tally.expect("a case has rows").figure()
}

/// What is left to `f32` in a metric: sums of numbers that are not whole.
fn assert_near(what: &str, found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= 1e-6 * wanted.abs().max(1.0), "{what}: {found}, not {wanted}");
}

fn agree(kind: &str, labels: DType, least: usize) {
    let lib = Library::std(Framework::Keras, &mut Sources::new());
    let mut seen = 0;
    for (i, case) in goldens()[kind].as_array().expect("cases").iter().enumerate() {
        for (text, wanted) in case["wanted"].as_object().expect("metrics") {
            let found = computed(&lib, case, text, labels, 3 + i % 6);
            let what = format!("{kind}[{i}] {text}");
            match (wanted, found) {
                (Json::Array(counts), Figure::Confusion(found)) => {
                    assert_eq!(serde_json::to_value(&found.counts).unwrap(), json!(counts), "{what}");
                }
                (wanted, found) => match (wanted.as_f64(), found.number()) {
                    (Some(wanted), Some(found)) => assert_near(&what, found, wanted),
                    // What scikit-learn warns of is not defined.
                    (wanted, found) => assert_eq!(wanted, found, "{what}"),
                },
            }
            seen += 1;
        }
    }
    assert!(seen >= least, "only {seen} comparisons");
}

#[test]
fn metrics_of_several_classes_are_those_of_scikit_learn() {
    agree("classes", DType::I32, 400 * 16);
}

#[test]
fn metrics_of_two_classes_are_those_of_scikit_learn() {
    agree("two", DType::I32, 300 * 17);
}

#[test]
fn metrics_of_numbers_are_those_of_scikit_learn() {
    agree("numbers", DType::F32, 300 * 5);
}

#[test]
fn what_is_no_number_is_among_no_largest() {
    let lib = Library::std(Framework::Keras, &mut Sources::new());
    let text = r#"{"prediction": [[null, 0, 0], [null, null, null], [2, 3, 0]], "label": [0, 2, 0]}"#;
    let case: Json = serde_json::from_str(text).unwrap();
    let share = |k: &str| computed(&lib, &case, k, DType::I32, 3).number();
    assert_eq!(share("top_k(1)"), Some(0.0));
    assert_eq!(share("top_k(2)"), Some(1.0 / 3.0));
}

/// One csv of all that the table compares, its columns the metrics' pairs.
fn table(table: &Json) -> String {
    let mut text = String::from("s0,s1,s2,y3,p,y2,q,t\n");
    let column = |kind: &str, name: &str| table[kind][name].as_array().expect("rows").clone();
    let [scores, y3] = ["prediction", "label"].map(|name| column("classes", name));
    let [p, y2] = ["prediction", "label"].map(|name| column("two", name));
    let [q, t] = ["prediction", "label"].map(|name| column("numbers", name));
    for i in 0..scores.len() {
        let row = &scores[i];
        let cells = [&row[0], &row[1], &row[2], &y3[i], &p[i], &y2[i], &q[i], &t[i]];
        let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
        writeln!(text, "{}", cells.join(",")).expect("a string takes text");
    }
    text
}

const TABLE: &str = "\
mlspec 1

data d {
  source = csv(\"table.csv\")
  test   = csv(\"table.csv\")
  s0, s1, s2, p, q, t : float
  y3 : class(3)
  y2 : class(2)
  batch = BATCH
}

model M {
  input row: f32[B, 3]
  output logits: f32[B, 3] = row |> Dense(3) as fc
}

train {
  feed      { row = d.row  y3 = d.y3  p = d.p  y2 = d.y2  q = d.q  t = d.t }
  loss      = CrossEntropy(M.logits, y3)
  optimizer = SGD(lr=0.1)
  metrics   = [METRICS]
  epochs    = 1
}
";

/// What the table calls a metric of the test run, with its pair in the spec.
const IN_RUN: [(&str, &str, &str); 15] = [
    ("classes", "accuracy()", "accuracy(row, y3)"),
    ("classes", "top_k(2)", "top_k(row, y3, k=2)"),
    ("classes", "perplexity()", "perplexity(row, y3)"),
    ("classes", "f1(average=macro)", "f1(row, y3)"),
    ("classes", "auc(curve=roc)", "auc(row, y3)"),
    ("two", "auc(curve=roc)", "auc(p, y2)"),
    ("two", "auc(curve=pr)", "auc(p, y2, curve=pr)"),
    ("two", "precision()", "precision(p, y2)"),
    ("two", "recall(average=weighted)", "recall(p, y2, average=weighted)"),
    ("two", "log_loss()", "log_loss(p, y2)"),
    ("numbers", "mae()", "mae(q, t)"),
    ("numbers", "mse()", "mse(q, t)"),
    ("numbers", "rmse()", "rmse(q, t)"),
    ("numbers", "mape()", "mape(q, t)"),
    ("numbers", "r2()", "r2(q, t)"),
];

/// What a run calls a metric of the table: of the areas there are several.
fn called(text: &str) -> String {
    match text {
        "auc(row, y3)" => "auc.y3".to_string(),
        "auc(p, y2)" => "auc.y2".to_string(),
        "auc(p, y2, curve=pr)" => "auc.y2(curve=pr)".to_string(),
        other => other.split('(').next().unwrap_or(other).to_string(),
    }
}

/// Trains on the table and compares the metrics of its test rows, which do not depend on the weights.
pub fn a_run_reports_those_of_scikit_learn(batch: usize, args: &[&str]) {
    let golden = &goldens()["table"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.mlspec");
    let metrics = IN_RUN.map(|(_, _, text)| text).join(", ");
    let text = TABLE.replace("BATCH", &batch.to_string()).replace("METRICS", &metrics);
    std::fs::write(&path, text).unwrap();
    std::fs::write(folder.path().join("table.csv"), table(golden)).unwrap();
    let run = Run::train(&path.display().to_string(), args);
    for (kind, name, text) in IN_RUN {
        let wanted = golden[kind]["wanted"][name].as_f64().unwrap_or_else(|| panic!("no {name}"));
        assert_near(&format!("{text} in batches of {batch}"), run.test_metric(&called(text)), wanted);
    }
}

#[test]
fn runs_report_those_of_scikit_learn_whatever_the_batch() {
    for batch in [1, 7, 64, 1000] {
        a_run_reports_those_of_scikit_learn(batch, &[]);
    }
}

/// The rows of a case whose index is of a group, of three.
fn of_group(case: &Json, group: usize) -> Json {
    let rows = |name: &str| {
        let all = case[name].as_array().expect("rows").iter().enumerate();
        all.filter(|(i, _)| i % 7 % 3 == group).map(|(_, row)| row.clone()).collect::<Vec<_>>()
    };
    json!({ "prediction": rows("prediction"), "label": rows("label") })
}

#[test]
fn groups_of_rows_are_judged_each_on_its_own() {
    let lib = Library::std(Framework::Keras, &mut Sources::new());
    let golden = &goldens()["table"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.mlspec");
    let metrics = IN_RUN.map(|(_, _, text)| format!("{text} by g")).join(", ");
    let text = TABLE.replace("BATCH", "17").replace("METRICS", &metrics);
    let text = text.replace("y2 : class(2)", "y2 : class(2)\n  g : class(left, right, middle, nowhere)");
    std::fs::write(&path, text).unwrap();
    let mut rows: Vec<String> = table(golden).lines().map(str::to_string).collect();
    rows[0] += ",g";
    for (i, row) in rows[1..].iter_mut().enumerate() {
        *row += ["left", "right", "middle"].map(|name| format!(",{name}"))[i % 7 % 3].as_str();
    }
    std::fs::write(folder.path().join("table.csv"), rows.join("\n")).unwrap();
    let run = Run::train(&path.display().to_string(), &["--set", "train.epochs=1"]);
    for (kind, name, text) in IN_RUN {
        let called = called(text);
        // Settings stand behind the group.
        let of = |group: &str| format!("{called}[g={group}]");
        let labels = if kind == "numbers" { DType::F32 } else { DType::I32 };
        let mut values = Vec::new();
        for (i, group) in ["left", "right", "middle"].iter().enumerate() {
            let case = of_group(&golden[kind], i);
            let wanted = computed(&lib, &case, name, labels, 50).number().expect("a number");
            assert_near(&of(group), run.test_metric(&of(group)), wanted);
            let rows = case["label"].as_array().unwrap().len() as f64;
            assert_eq!(run.test_metric(&format!("{}.rows", of(group))), rows);
            values.push(wanted);
        }
        let gap =
            values.iter().copied().fold(f64::MIN, f64::max) - values.iter().copied().fold(f64::MAX, f64::min);
        assert_near("the gap", run.test_metric(&format!("{called}[g].gap")), gap);
        // A class without rows is no group.
        let record = run.records().into_iter().find(|r| r["split"] == "test").unwrap();
        assert!(record["metrics"].get(of("nowhere")).is_none());
    }
}

#[test]
fn a_column_that_is_one_hot_to_the_model_makes_groups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.mlspec");
    let text = TABLE.replace("BATCH", "8").replace("METRICS", "accuracy by g, mae(q, t) by g");
    let text = text.replace("y2 : class(2)", "y2 : class(2)\n  g : one_hot(unknown=other)");
    // `row` has the indicators of g beside s0 to s2.
    let text = text.replace("f32[B, 3]\n", "f32[B, d.features]\n").replace("p = d.p  y2 = d.y2  ", "");
    let text = text.replace(", p, q, t : float", ", q, t : float").replace("y2 : class(2)\n", "");
    std::fs::write(&path, text).unwrap();
    let mut rows: Vec<String> = table(&goldens()["table"]).lines().map(str::to_string).collect();
    rows[0] += ",g";
    rows[1..].iter_mut().enumerate().for_each(|(i, row)| *row += if i < 150 { ",a" } else { ",b" });
    std::fs::write(folder.path().join("table.csv"), rows.join("\n")).unwrap();
    let run = Run::train(&path.display().to_string(), &[]);
    assert_eq!(run.test_metric("accuracy[g=a].rows"), 150.0);
    assert_eq!(run.test_metric("accuracy[g=b].rows"), 50.0);
    let both = 150.0 * run.test_metric("mae[g=a]") + 50.0 * run.test_metric("mae[g=b]");
    let wanted = goldens()["table"]["numbers"]["wanted"]["mae()"].as_f64().unwrap();
    assert_near("mae of both", both / 200.0, wanted);
}
