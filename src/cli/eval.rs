//! `mlc eval`: the weights of a run on a split of its data.

use super::args::{EvalArgs, SpecArgs, SplitName};
use super::lesson::Lesson;
use super::rows::Input;
use super::sections::only_train;
use super::spec::{self, Checked};
use super::train::{load, open_ended, other_data, over, shown};
use super::{Failure, Outcome, output};
use crate::diag::Severity;
use crate::runtime::RunError;
use crate::runtime::data::Dataset;
use crate::runtime::evaluate::{self, Of, chosen, evaluate};
use crate::runtime::run_dir::{Run, Split, changed_files};
use crate::sema::job::{Job, TrainPlan};
use std::path::Path;

pub fn run(args: &EvalArgs) -> Result<Outcome, Failure> {
    let run = open_ended(&args.run)?;
    let lesson = if run.info.asked.file.is_none() { Some(Lesson::unpack()?) } else { None };
    let given = over(&run, lesson.as_ref(), &SpecArgs { data: args.data.clone(), ..SpecArgs::default() });
    let Some((mut checked, job)) = spec::given_with_data(&given)? else { return Ok(Outcome::Errors) };
    let Some(plan) = only_train(&checked.sources, &job) else { return Ok(Outcome::Errors) };
    let found = match &args.input {
        None => of_run(args, &checked, &job, plan, &run),
        Some(named) => of_file(args, named, &mut checked, &job, plan, &run)?,
    };
    let Some((of, data)) = found else { return Ok(Outcome::Errors) };
    let device = args.device.map_or(run.info.asked.device, |device| device.kind());
    let threads = args.threads.map_or(0, usize::from);
    match evaluate(&checked.library(), &job, &data, &run, of, threads, device) {
        Ok(report) if args.json => {
            let json = serde_json::to_string(&report).expect("cli: a report is plain data");
            output::out(&format!("{json}\n"));
            Ok(Outcome::Clean)
        }
        Ok(report) => {
            output::out(&report.text());
            Ok(Outcome::Clean)
        }
        Err(RunError::Diagnostics(wrong)) => Ok(shown(&checked.sources, &wrong)),
        Err(RunError::Io(why)) => Err(Failure(why)),
    }
}

/// A split of the data that the run was trained on; none if they cannot be read, which is told.
fn of_run(
    args: &EvalArgs,
    checked: &Checked,
    job: &Job,
    plan: &TrainPlan,
    run: &Run,
) -> Option<(Of, Dataset)> {
    let data = load(checked, job, plan)?;
    let span = job.data[plan.data].source.path_span;
    let changed = changed_files(&run.info.data, &data.files);
    let told: Vec<_> = changed.iter().map(|what| other_data(what, span, Severity::Warning)).collect();
    output::report(&checked.sources, &told);
    let split = chosen(args.split.map(SplitName::split), &data);
    Some((Of::Split(split), data))
}

/// The rows of another file; none if they cannot be used, which is told.
fn of_file(
    args: &EvalArgs,
    named: &Path,
    checked: &mut Checked,
    job: &Job,
    plan: &TrainPlan,
    run: &Run,
) -> Result<Option<(Of, Dataset)>, Failure> {
    let (input, section) = (Input::open(named)?, &job.data[plan.data]);
    let source = input.source(checked, args.input_format.as_deref(), &section.source.kind, &[]);
    match evaluate::of_file(run, section, &source) {
        Ok(data) => Ok(Some((Of::Input(named.display().to_string()), data))),
        Err(RunError::Io(why)) => Err(Failure(why)),
        Err(RunError::Diagnostics(wrong)) => {
            output::report(&checked.sources, &wrong);
            Ok(None)
        }
    }
}

impl SplitName {
    fn split(self) -> Split {
        match self {
            SplitName::Train => Split::Train,
            SplitName::Valid => Split::Valid,
            SplitName::Test => Split::Test,
        }
    }
}
