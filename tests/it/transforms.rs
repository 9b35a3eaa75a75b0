//! Transforms of columns: values are those of scikit-learn and pandas (tests/goldens/transforms.py), fitted on training
//! rows alone, and what is fitted needs no training data to be applied.

use mlc::base::Sources;
use mlc::diag::{Diagnostic, human};
use mlc::runtime::data::{self, Dataset, Places, Values};
use mlc::sema::{self, Blind, Job, Settings};
use mlc::syntax;
use serde_json::Value as Json;
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
