//! `mlc eval`: the weights of a run on a split of its data.

use super::args::{EvalArgs, SpecArgs, SplitName};
use super::lesson::Lesson;
use super::train::{load, only_train, open, other_data, over, shown};
use super::{Failure, Outcome, output, spec};
use crate::diag::Severity;
use crate::runtime::RunError;
use crate::runtime::evaluate::{chosen, evaluate};
use crate::runtime::run_dir::{Split, changed_files};

pub fn run(args: &EvalArgs) -> Result<Outcome, Failure> {
    let run = open(&args.run)?;
    let lesson = if run.info.asked.file.is_none() { Some(Lesson::unpack()?) } else { None };
    let given = over(&run, lesson.as_ref(), &SpecArgs { data: args.data.clone(), ..SpecArgs::default() });
    let Some((checked, job)) = spec::given_with_data(&given)? else { return Ok(Outcome::Errors) };
    let Some(plan) = only_train(&checked.sources, &job) else { return Ok(Outcome::Errors) };
    let Some(data) = load(&checked, &job, plan) else { return Ok(Outcome::Errors) };
    let span = job.data[plan.data].source.path_span;
    let changed = changed_files(&run.info.data, &data.files);
    let told: Vec<_> = changed.iter().map(|what| other_data(what, span, Severity::Warning)).collect();
    output::report(&checked.sources, &told);
    let split = chosen(args.split.map(SplitName::split), &data);
    let device = args.device.map_or(run.info.asked.device, |device| device.kind());
    let threads = args.threads.map_or(0, usize::from);
    match evaluate(&checked.library(), &job, &data, &run, split, threads, device) {
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

impl SplitName {
    fn split(self) -> Split {
        match self {
            SplitName::Train => Split::Train,
            SplitName::Valid => Split::Valid,
            SplitName::Test => Split::Test,
        }
    }
}
