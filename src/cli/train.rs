//! `mlc train`: data in, run directory out.

use super::args::{ProgressForm, TrainArgs};
use super::interrupt::Interrupts;
use super::lesson::Lesson;
use super::progress::Bar;
use super::spec::{self, Checked};
use super::{Failure, Outcome, output};
use crate::base::Sources;
use crate::diag::Diagnostic;
use crate::runtime::RunError;
use crate::runtime::data::{self, Dataset};
use crate::runtime::progress::{Ending, Json, Plain, Progress};
use crate::runtime::session::{self, Options};
use crate::sema::Job;
use crate::sema::job::TrainPlan;
use std::io::{IsTerminal, stderr, stdout};
use std::path::Path;

pub fn run(args: &TrainArgs) -> Result<Outcome, Failure> {
    match &args.file {
        Some(file) => train(file, args),
        None => train(&Lesson::unpack()?.spec(), args),
    }
}

fn train(file: &Path, args: &TrainArgs) -> Result<Outcome, Failure> {
    let Some((checked, job)) = spec::job_with_data(file, &args.spec)? else { return Ok(Outcome::Errors) };
    let Some(plan) = only_train(&checked.sources, &job) else { return Ok(Outcome::Errors) };
    let Some(data) = load(&checked, &job, plan) else { return Ok(Outcome::Errors) };
    let options = Options {
        steps: args.steps,
        threads: args.threads.map_or(0, usize::from),
        device: args.device.kind(),
        out: args.out.clone(),
        init: args.init.clone(),
    };
    let mut progress: Box<dyn Progress> = match args.progress {
        ProgressForm::Auto if stderr().is_terminal() => Box::new(Bar::new()),
        ProgressForm::Auto | ProgressForm::Plain => Box::new(Plain::new(stderr())),
        ProgressForm::Json => Box::new(Json::new(stdout())),
    };
    let interrupts = Interrupts::watch()?;
    let library = checked.library();
    match session::train(&library, &job, plan, &data, &options, &mut *progress, &interrupts.stop) {
        Ok(outcome) => Ok(match outcome.problem {
            Some(problem) => shown(&checked.sources, &[problem]),
            None if outcome.ending == Ending::Interrupted => {
                let weights = outcome.folder.join("model.safetensors");
                output::err(&format!("go on from these weights with `--init {}`\n", weights.display()));
                Outcome::Interrupted(interrupts.exit_code())
            }
            None => Outcome::Clean,
        }),
        Err(RunError::Diagnostics(wrong)) => Ok(shown(&checked.sources, &wrong)),
        Err(RunError::Io(why)) => Err(Failure(why)),
    }
}

/// The one train section of a spec; what else there is, is reported.
pub fn only_train<'a>(sources: &Sources, job: &'a Job) -> Option<&'a TrainPlan> {
    match job.trains.as_slice() {
        [plan] => Some(plan),
        [] => {
            let span = crate::base::Span::default();
            let wrong =
                Diagnostic::error("run::no_train", "the spec has no `train` section", span, "in this file");
            output::report(sources, &[wrong.help("add `train { … }` to say how the model is trained")]);
            None
        }
        [_, second, ..] => {
            let wrong = "several `train` sections that run in turn are not built yet";
            let wrong = Diagnostic::error("run::several", wrong, second.span, "the second one");
            output::report(sources, &[wrong.help("keep one of them in this file")]);
            None
        }
    }
}

/// The data of a train section in memory, or none with the problems reported.
pub fn load(checked: &Checked, job: &Job, plan: &TrainPlan) -> Option<Dataset> {
    let data = data::load(&job.data[plan.data], &checked.places)
        .map_err(|wrong| output::report(&checked.sources, &wrong))
        .ok()?;
    output::report(&checked.sources, &data.warnings);
    Some(data)
}

pub fn shown(sources: &Sources, wrong: &[Diagnostic]) -> Outcome {
    output::report(sources, wrong);
    Outcome::Errors
}
