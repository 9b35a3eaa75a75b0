//! `mlc test`: whether a run reaches what the `test` sections of its spec ask for.

use super::args::{SpecArgs, TestArgs};
use super::lesson::Lesson;
use super::sections::only_train;
use super::spec::{self, Checked};
use super::train::{load, open_ended, other_data, over, shown};
use super::{Failure, Outcome, output};
use crate::diag::Severity;
use crate::ops::metric::Figure;
use crate::runtime::data::Dataset;
use crate::runtime::evaluate::{Of, Report as Evaluated, chosen, evaluate};
use crate::runtime::run_dir::{Run, Split, changed_files};
use crate::runtime::{DeviceKind, RunError};
use crate::sema::job::{Expectation, Job, TestPlan};
use serde::Serialize;

pub fn run(args: &TestArgs) -> Result<Outcome, Failure> {
    let run = open_ended(&args.run)?;
    let lesson = if run.info.asked.file.is_none() { Some(Lesson::unpack()?) } else { None };
    let given = over(&run, lesson.as_ref(), &SpecArgs { data: args.data.clone(), ..SpecArgs::default() });
    let Some((checked, job)) = spec::given_with_data(&given)? else { return Ok(Outcome::Errors) };
    let Some(plan) = only_train(&checked.sources, &job) else { return Ok(Outcome::Errors) };
    if plans(&job).is_empty() {
        let why = "the spec of the run has no `test` section about it: add `test floor { expect = [loss <= 0.1] }` and \
                   train anew, or see its numbers with `mlc eval`";
        return Err(Failure(why.to_string()));
    }
    let Some(data) = load(&checked, &job, plan) else { return Ok(Outcome::Errors) };
    let span = job.data[plan.data].source.path_span;
    let changed = changed_files(&run.info.data, &data.files);
    let told: Vec<_> = changed.iter().map(|what| other_data(what, span, Severity::Warning)).collect();
    output::report(&checked.sources, &told);
    let device = args.device.map_or(run.info.asked.device, |device| device.kind());
    let threads = args.threads.map_or(0, usize::from);
    let asked = Asked { checked: &checked, job: &job, data: &data, run: &run, threads, device };
    let Some(report) = asked.report()? else { return Ok(Outcome::Errors) };
    if args.json {
        let json = serde_json::to_string(&report).expect("cli: a report is plain data");
        output::out(&format!("{json}\n"));
    } else {
        output::out(&report.text());
    }
    Ok(if report.holds { Outcome::Clean } else { Outcome::Errors })
}

/// The `test` sections that are about the one training of a job.
pub fn plans(job: &Job) -> Vec<&TestPlan> {
    job.tests.iter().filter(|test| test.train == job.trains[0].name).collect()
}

/// Whose run is held to what, and on what it is computed.
pub struct Asked<'a> {
    pub checked: &'a Checked,
    /// With one training.
    pub job: &'a Job,
    pub data: &'a Dataset,
    pub run: &'a Run,
    /// 0 for as many as the machine has cores.
    pub threads: usize,
    pub device: DeviceKind,
}

/// All that was asked of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    run: String,
    holds: bool,
    tests: Vec<Tested>,
}

/// What one section asked for.
#[derive(Debug, Serialize)]
struct Tested {
    test: String,
    split: Split,
    rows: usize,
    holds: bool,
    expect: Vec<Reached>,
}

#[derive(Debug, Serialize)]
struct Reached {
    /// `accuracy >= 0.97`
    expect: String,
    metric: String,
    op: &'static str,
    bound: f64,
    /// None where it is not defined, which is never what was asked for.
    reached: Option<f64>,
    holds: bool,
}

impl Asked<'_> {
    /// Evaluates each part that is asked for; none if that fails, which is told.
    pub fn report(&self) -> Result<Option<Report>, Failure> {
        let mut tests = Vec::new();
        for plan in plans(self.job) {
            let split = chosen(plan.part.as_deref().map(split), self.data);
            let (lib, of) = (self.checked.library(), Of::Split(split));
            match evaluate(&lib, self.job, self.data, self.run, of, self.threads, self.device) {
                Ok(found) => tests.push(Tested::new(plan, split, &found)),
                Err(RunError::Io(why)) => return Err(Failure(why)),
                Err(RunError::Diagnostics(wrong)) => {
                    shown(&self.checked.sources, &wrong);
                    return Ok(None);
                }
            }
        }
        let holds = tests.iter().all(|test| test.holds);
        Ok(Some(Report { run: self.run.path.display().to_string(), holds, tests }))
    }
}

fn split(part: &str) -> Split {
    match part {
        "train" => Split::Train,
        "valid" => Split::Valid,
        "test" => Split::Test,
        other => panic!("cli: a test is about a part of the data, not `{other}`"),
    }
}

impl Tested {
    fn new(plan: &TestPlan, split: Split, found: &Evaluated) -> Tested {
        let expect: Vec<Reached> = plan.expects.iter().map(|asked| Reached::new(asked, found)).collect();
        let holds = expect.iter().all(|one| one.holds);
        Tested { test: plan.name.clone(), split, rows: found.rows, holds, expect }
    }
}

impl Reached {
    fn new(asked: &Expectation, found: &Evaluated) -> Reached {
        let reached = match (&*asked.metric, found.metrics.get(&asked.metric)) {
            ("loss", _) => Some(found.loss),
            (_, Some(Figure::Number(number))) => *number,
            (_, Some(Figure::Confusion(_) | Figure::Groups(_)) | None) => None,
        };
        Reached {
            expect: asked.text(),
            metric: asked.metric.clone(),
            op: asked.op.sign(),
            bound: asked.bound,
            reached,
            holds: asked.holds(reached),
        }
    }
}

impl Report {
    /// A line for each section and a line for each bound: what was asked, what was reached.
    pub fn text(&self) -> String {
        let all = || self.tests.iter().flat_map(|test| &test.expect);
        let width = all().map(|one| one.expect.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for test in &self.tests {
            text += &format!("test {}  ({}, {} rows)\n", test.test, test.split.name(), test.rows);
            for one in &test.expect {
                // Six digits: four would often hide by how little a bound is missed.
                let reached = one.reached.map_or("not defined".to_string(), |number| format!("{number:.6}"));
                let verdict = if one.holds { "reached" } else { "missed" };
                text += &format!("  {:width$}  {reached}  {verdict}\n", one.expect);
            }
        }
        text
    }
}
