//! Learning rates as Keras 3 and PyTorch have them, and where a run uses them.
//!
//! `tests/goldens/schedules.py` made the numbers.

use crate::support::{Run, root, run};
use mlc::base::Sources;
use mlc::ops::AttrValue;
use mlc::ops::metric::Better;
use mlc::ops::plateau::{self, Plateau};
use mlc::ops::schedule::{self, SCHEDULES, Schedule};
use mlc::sema::{self, Blind, Settings};
use mlc::syntax;
use serde_json::Value as Json;

/// A spec with a schedule.
fn spec(framework: &str, lr: f64, schedule: &str) -> String {
    format!(
        "mlspec 1 defaults {framework}
data points {{ source = synthetic(line, features=3, rows=160)  batch = 8 }}
model Line {{
  input x: f32[B, 3]
  output y: f32[B] = x |> Dense(1) as fc |> Squeeze
}}
train {{
  feed      {{ x = points.x  y = points.y }}
  loss      = MeanSquaredError(Line.y, y)
  optimizer = SGD(lr={lr})
  schedule  = {schedule}
  steps     = 200
}}
"
    )
}

fn checked(framework: &str, lr: f64, schedule: &str) -> Schedule {
    let mut sources = Sources::new();
    let file = sources.add("spec.mlspec", None, spec(framework, lr, schedule));
    let (ast, _) = syntax::parse(&sources, file);
    let (job, found) = sema::check(&mut sources, file, &ast, &Settings::default(), &Blind);
    let job = job.unwrap_or_else(|| panic!("{schedule}: {:?}", found.sorted()));
    job.trains[0].steps[0].schedule.clone().expect("the spec has a schedule")
}

#[test]
fn two_hundred_rates_agree_with_keras_and_torch() {
    let text =
        std::fs::read_to_string(root().join("tests/goldens/schedules.json")).expect("the goldens are there");
    let goldens: Json = serde_json::from_str(&text).expect("the goldens are JSON");
    let number = |json: &Json| json.as_f64().expect("a number");
    let steps_per_epoch = goldens["epoch"].as_u64().expect("a number of steps");
    let runs = goldens["runs"].as_array().expect("a list of runs");
    let text = |run: &Json, key: &str| run[key].as_str().expect("a text").to_string();
    for def in SCHEDULES {
        let named = runs.iter().any(|r| text(r, "schedule").split('(').next() == Some(def.sig.name));
        assert!(named, "{} is compared", def.sig.name);
    }
    for run in runs {
        let (framework, call, lr) = (text(run, "framework"), text(run, "schedule"), number(&run["lr"]));
        let rates = checked(&framework, lr, &call).over(schedule::Run { steps: 200, steps_per_epoch });
        let rates = rates.expect("the warm-up is short");
        let wanted = run["values"].as_array().expect("a list of rates");
        assert_eq!(wanted.len(), 200);
        // PyTorch computes in f64, each rate from the one before; Keras in f32, whose cosine is right to some 1e-7.
        let (relative, absolute) = if framework == "torch" { (1e-7, 1e-12) } else { (4e-7, 4e-7 * lr) };
        for (step, wanted) in wanted.iter().map(number).enumerate() {
            let found = f64::from(rates.lr(step as u64));
            let near = (found - wanted).abs() <= relative * wanted + absolute;
            assert!(near, "{framework} {call}, step {step}: {found:e}, not {wanted:e}");
        }
        assert_eq!(rates.lr(1000), rates.lr(199), "behind the run the last rate stays");
    }
}

#[test]
fn a_run_shows_its_schedule() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("spec.mlspec").display().to_string();
    let call = "cosine(warmup=1, per=epoch, end=0.001)";
    std::fs::write(&file, spec("keras", 0.1, call)).expect("the temporary folder is writable");
    let rendered = run(&["render", &file]);
    let full = "schedule  = cosine(warmup=1, per=epoch, end=1e-3, start=0.0)";
    assert!(rendered.contains(full), "{rendered}");
    let plan = run(&["plan", &file]);
    let line = "learning rate by cosine over 200 steps: first 0.0, peak 0.1 at step 21, last 0.0010075391\n";
    assert!(plan.contains(line), "{plan}");
    let trained = Run::train(&file, &["--steps", "1"]);
    let info = std::fs::read_to_string(trained.file("run.yaml")).expect("run.yaml is there");
    assert!(info.contains("schedule: cosine(warmup=1.0, end=0.001, start=0.0, per=epoch)\n"), "{info}");
}

#[test]
fn a_warm_up_in_steps_is_held_against_epochs_once_the_data_are_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("spec.mlspec").display().to_string();
    let text = spec("keras", 0.1, "linear(warmup=40)").replace("steps     = 200", "epochs = 2");
    std::fs::write(&file, &text).expect("the temporary folder is writable");
    let output = crate::support::mlc(&["train", &file]);
    let error = crate::support::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("the warm-up takes 40 steps, but the run has 40"), "{error}");
}

/// `plateau.py` in `tests/goldens` let Keras' callback look at the same values.
#[test]
fn a_plateau_falls_where_that_of_keras_does() {
    let text =
        std::fs::read_to_string(root().join("tests/goldens/plateau.json")).expect("the goldens are there");
    let goldens: Json = serde_json::from_str(&text).expect("the goldens are JSON");
    let cases = goldens["cases"].as_array().expect("a list of cases");
    assert_eq!(cases.len(), 200);
    for case in cases {
        let better = if case["mode"] == "min" { Better::Lower } else { Better::Higher };
        let setting = |attr: &mlc::ops::Attr| match &case["settings"][attr.name] {
            Json::Null => AttrValue::Word("valid.loss".to_string()),
            number => AttrValue::Float(number.as_f64().expect("a number")),
        };
        let rule = Plateau::new(&plateau::SIG.attrs.iter().map(setting).collect::<Vec<_>>(), better);
        let mut reached = rule.start(0.1);
        let mut falls = Vec::new();
        for (i, value) in case["values"].as_array().expect("values").iter().enumerate() {
            let before = reached.lr;
            rule.observe(&mut reached, value.as_f64().expect("a number"));
            if reached.lr != before {
                falls.push((i as u64, reached.lr));
            }
        }
        let fall = |f: &Json| (f[0].as_u64().expect("a place"), f[1].as_f64().expect("a rate") as f32);
        let wanted: Vec<(u64, f32)> = case["falls"].as_array().expect("falls").iter().map(fall).collect();
        assert_eq!(falls, wanted, "{}", case["settings"]);
    }
}
