//! Transforms of columns: values are those of scikit-learn and pandas (tests/goldens/transforms.py), fitted on training
//! rows alone, and what is fitted needs no training data to be applied.

use crate::support::{Run, root};
use mlc::base::Sources;
use mlc::diag::{Diagnostic, human};
use mlc::ops::transform::TRANSFORMS;
use mlc::ops::{Attr, Default};
use mlc::runtime::data::{self, Dataset, FittedColumn, Places, Values};
use mlc::sema::{self, Blind, Job, Settings};
use mlc::syntax;
use serde_json::Value as Json;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// A job that reads columns `z` and `x` of `t.csv`; the first `train` rows are for training.
fn job(x: &str, train: usize) -> Job {
    let text = format!(
        "mlspec 1\n\ndata t {{\n  source = csv(\"t.csv\")\n  z = fare |> float\n  x = {x}\n  \
         split {{ train = {train}  ordered = true }}\n}}\n\n\
         model M {{\n  input z: f32[B]\n  output o: f32[B, 1] = z |> Reshape(1) |> Dense(1) as d\n}}\n\n\
         train {{\n  feed {{ z = t.z  x = t.x }}\n  loss = mean(M.o) + mean(cast(x, f32))\n  optimizer = SGD(lr=0.1)\n  \
         steps = 1\n}}\n"
    );
    let mut sources = Sources::new();
    let file = sources.add("t.mlspec", None, text.as_str());
    let (ast, _) = syntax::parse(&sources, file);
    let (job, found) = sema::check(&mut sources, file, &ast, &Settings::default(), &Blind);
    job.unwrap_or_else(|| panic!("{x}: {}", human(&sources, &found.sorted())))
}

fn load(folder: &Path, job: &Job) -> Result<Dataset, Vec<Diagnostic>> {
    data::load(&job.data[0], &Places { spec: Some(folder.to_path_buf()), data: None })
}

/// The column `x`, all rows.
fn values(data: &Dataset) -> Vec<f64> {
    let x = data.train.store.columns.iter().find(|c| c.name == "x").expect("the column is fed");
    match &x.values {
        Values::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Values::I32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Values::U8(_) => panic!("no transform gives bytes"),
    }
}

fn goldens() -> Json {
    serde_json::from_str(include_str!("../goldens/transforms.json")).expect("the goldens are JSON")
}

#[test]
fn values_are_those_of_scikit_learn_and_pandas() {
    let goldens = goldens();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), goldens["table"].as_str().unwrap()).unwrap();
    let train = goldens["train"].as_u64().unwrap() as usize;
    for case in goldens["cases"].as_array().unwrap() {
        let how = case["how"].as_str().unwrap();
        let data = load(folder.path(), &job(how, train)).unwrap_or_else(|d| panic!("{how}: {d:?}"));
        let rows = case["want"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
        let want: Vec<Option<f64>> = rows.map(Json::as_f64).collect();
        let got = values(&data);
        assert_eq!(got.len(), want.len(), "{how}");
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            let want = want.expect("every value is there");
            // One rounding to f32, and none of the twelve digits behind it.
            let near = (got - want).abs() <= 1e-7 * want.abs().max(1.0);
            assert!(near, "{how}: {got} is not {want} at {i}");
        }
    }
}

/// What loading says of a table whose column `x` is made so.
fn problem(table: &str, x: &str, train: usize) -> Diagnostic {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), table).unwrap();
    let mut wrong = load(folder.path(), &job(x, train)).expect_err("the table is wrong");
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    wrong.remove(0)
}

const TABLE: &str =
    "fare,age,town,when\n1,22,York,2024-02-29\n2,,Hull,2023-01-01\n0,4,,x\n3,38,Bath,2024-13-01\n";

#[test]
fn cells_that_a_transform_cannot_take_are_named() {
    let said = |x: &str| {
        let d = problem(TABLE, x, 2);
        (d.code, d.message, d.help.expect("it says what to do"))
    };
    let (code, message, help) = said("age |> standardize");
    assert_eq!(
        (code, &*message),
        ("data::missing_value", "t.csv:3:3: `` in column `age` stands for a missing value",)
    );
    assert!(
        help.starts_with("1 of 4 rows lack it: fill them in, as in `age : impute(median) |> …`"),
        "{help}"
    );
    let (code, message, _) = said("fare |> log");
    assert_eq!(
        (code, &*message),
        ("data::domain", "t.csv:4:1: `0` in column `fare` has no `log`, which wants numbers above 0",)
    );
    let (code, message, help) = said("town |> one_hot");
    assert_eq!(
        (code, &*message),
        ("data::unseen", "t.csv:4:5: `` in column `town` occurs in no training row (and 1 row more like it)",)
    );
    assert!(help.contains("`one_hot(unknown=other)`"), "{help}");
    let (code, message, _) = said("when |> date");
    assert_eq!(
        (code, &*message),
        (
            "data::date",
            "t.csv:4:6: `x` in column `when` is no date of the form `%Y-%m-%d` (and 1 row more like it)",
        )
    );
    let (code, message, help) = said("town |> impute(most_frequent) |> float");
    assert_eq!(
        (code, &*message),
        ("data::number", "t.csv:2:6: `York` in column `town` is not a number (and 3 rows more like it)")
    );
    assert!(
        help.starts_with("the column is text: 4 rows, 3 distinct values; type it `town : one_hot`"),
        "{help}"
    );
    let (code, message, _) = said("town |> impute(most_frequent) |> class");
    assert_eq!(
        (code, message.contains("`Bath` in column `town` is not one of the classes")),
        ("data::class", true)
    );
}

#[test]
fn values_that_a_formula_cannot_make_are_named() {
    let said = |x: &str| {
        let d = problem(TABLE, x, 2);
        (d.code, d.message)
    };
    let wrong = said("(fare + age) |> standardize");
    assert_eq!(
        wrong,
        ("data::missing_value", "t.csv:3:3: `` in column `age` stands for a missing value".to_string())
    );
    let wrong = said("(1 / fare) |> standardize");
    assert_eq!(wrong, ("data::not_finite", "t.csv:4: `inf` in column `x` is not a finite `f32`".to_string()));
    let wrong = said("(0 / fare) |> standardize");
    assert_eq!(
        wrong,
        (
            "data::not_finite",
            "t.csv:4: `NaN` in column `x` is no number: the formula divides 0 by 0, or the like".to_string()
        )
    );
}

#[test]
fn a_missing_value_is_a_value_of_its_own_where_training_rows_lack_some() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), TABLE).unwrap();
    let of = |x: &str, train| {
        values(&load(folder.path(), &job(x, train)).unwrap_or_else(|d| panic!("{x}: {d:?}")))
    };
    // Hull, York, missing; then what training rows lack.
    let want = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]].concat();
    assert_eq!(
        of("town |> one_hot(unknown=other)", 3),
        want.iter().map(|x| f64::from(*x)).collect::<Vec<_>>()
    );
    assert_eq!(of("town |> one_hot(unknown=ignore)", 2), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(of("town |> category(unknown=other)", 3), [1.0, 0.0, 2.0, 3.0]);
    // FNV-1a-64 of "York", "Hull", "" and "Bath", modulo 16.
    assert_eq!(of("town |> hashed(16)", 3), HASHED);
    // One after the other: gaps are filled before moments are taken.
    let filled = of("age |> impute(constant, 4) |> minmax", 4);
    assert_eq!(filled, [f64::from(18_f32 / 34.0), 0.0, 0.0, 1.0]);
}

/// By the reference implementation's recurrence in Python.
const HASHED: [f64; 4] = [6.0, 6.0, 5.0, 0.0];

#[test]
fn what_is_fitted_is_applied_without_the_training_rows() {
    let goldens = goldens();
    let folder = tempfile::tempdir().unwrap();
    let text = goldens["table"].as_str().unwrap();
    fs::write(folder.path().join("t.csv"), text).unwrap();
    for how in [
        "age |> impute(median) |> standardize",
        "town |> one_hot(unknown=other)",
        "fare |> bins(5) |> one_hot",
        "(fare / berth^2) |> quantile(to=normal)",
    ] {
        let plan = job(how, goldens["train"].as_u64().unwrap() as usize);
        let data = load(folder.path(), &plan).unwrap();
        let yaml = serde_yaml::to_string(&data.fitted).unwrap();
        let fitted: Vec<FittedColumn> = serde_yaml::from_str(&yaml).unwrap();
        // The last row alone: nothing could be fitted on it.
        let mut lines = text.lines();
        let (header, last) = (lines.next().unwrap(), lines.next_back().unwrap());
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("t.csv"), format!("{header}\n{last}\n")).unwrap();
        let places = Places { spec: Some(other.path().to_path_buf()), data: None };
        let made = data::apply_file(&fitted, &plan.data[0].source, &places).unwrap();
        let of = |store: &mlc::runtime::data::Store| {
            let x = store.columns.iter().find(|c| c.name == "x").unwrap();
            let Values::F32(v) = &x.values else { panic!("numbers") };
            v.clone()
        };
        let (all, one) = (of(&data.train.store), of(&made));
        assert_eq!(one, all[all.len() - one.len()..], "{how}");
    }
}

#[test]
fn errors_are_in_the_unit_of_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..40).map(|i| format!("{},{}\n", i % 7, 1000 + 50 * (i % 7) + i)).collect();
    fs::write(folder.path().join("t.csv"), format!("x,y\n{rows}")).unwrap();
    let spec = "mlspec 1\n\ndata t {\n  source = csv(\"t.csv\")\n  x, y : standardize\n  split { train = 80%  valid = 20% }\n}\n\n\
                model M {\n  input x: f32[B]\n  output o: f32[B] = x |> Reshape(1) |> Dense(1) as d |> Squeeze\n}\n\n\
                train {\n  feed { x = t.x  y = t.y }\n  loss = MeanSquaredError(M.o, y)\n  optimizer = SGD(lr=0.01)\n  \
                metrics = [mae, mse, rmse, r2]\n  steps = 3\n}\n";
    let file = folder.path().join("t.mlspec");
    fs::write(&file, spec).unwrap();
    let run = Run::train(file.to_str().unwrap(), &[]);
    let yaml = fs::read_to_string(run.file("run.yaml")).unwrap();
    let yaml: serde_yaml::Value = serde_yaml::from_str(&yaml).unwrap();
    let y = yaml["fitted"].as_sequence().unwrap().iter().find(|c| c["name"] == "y").unwrap();
    let std = y["fields"][0]["steps"][0]["std"][0].as_f64().unwrap();
    assert!(std > 80.0, "{std}");
    let records = run.records();
    let valid = records.iter().rfind(|r| r["split"] == "valid").expect("there are rows for validation");
    let of = |name: &str| valid["metrics"][name].as_f64().unwrap();
    let loss = valid["loss"].as_f64().unwrap();
    assert!((of("mse") / (loss * std * std) - 1.0).abs() < 1e-5, "{valid}");
    assert!((of("rmse") - of("mse").sqrt()).abs() < 1e-6 * of("rmse"), "{valid}");
    assert!(of("mae") < of("rmse") && of("mae") > 0.3 * of("rmse"), "{valid}");
    assert!(of("r2") < 1.0, "{valid}");
}

/// `docs/transforms.md`, from the table.
fn reference() -> String {
    let mut text = String::from(
        "# Transforms of columns\n\nWritten by a test from the table in `src/ops/transform.rs`.\n\n\
         A chain stands behind `name :` in a `data` section, or behind a column: `x = age |> log |> standardize`. What is \
         fitted\nis fitted on training rows alone, step behind step. A missing value stays missing until a step takes it; \
         what is left at\nthe end is an error. A column without a type is a number, if the first rows of the file hold \
         nothing else.\n\nWhat is computed row by row can be transformed as well: `bmi = weight / height^2` with \
         `bmi : standardize`, or\n`x = (a - b) |> clip(0, 10)`. A formula that reads a column of its own name replaces \
         that column; then `name :` types the\none of the file. A row that lacks an input is an error, or missing where the \
         chain has an `impute`.\n",
    );
    for def in TRANSFORMS {
        let sig = &def.sig;
        let names: Vec<&str> = sig.attrs.iter().map(|a| a.name).collect();
        let call = if names.is_empty() { String::new() } else { format!("({})", names.join(", ")) };
        let _ = write!(text, "\n## {}{call}\n\n{}\n\n", sig.name, sig.doc);
        for attr in sig.attrs {
            let _ = writeln!(text, "- `{}`: {}{}", attr.name, attr.doc, default(attr));
        }
        let gap = if sig.attrs.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}    column : {}", sig.example);
    }
    text
}

fn default(attr: &Attr) -> String {
    match attr.default {
        Default::Required | Default::None => String::new(),
        Default::Int(n) => format!(" Default {n}."),
        Default::Float(x) => format!(" Default {x}."),
        Default::Bool(x) => format!(" Default {x}."),
        Default::Word(word) | Default::Table(word) => format!(" Default `{word}`."),
    }
}

#[test]
fn the_reference_is_fresh() {
    let path = root().join("docs/transforms.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always") {
        fs::write(&path, reference()).unwrap();
    }
    let written = fs::read_to_string(&path).expect("docs/transforms.md is there");
    assert_eq!(written, reference(), "write it anew: INSTA_UPDATE=always cargo test --test it the_reference");
}
