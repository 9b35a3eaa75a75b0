//! `mlc generate`: what the model of a run makes.

use super::args::{GenerateArgs, SpecArgs};
use super::lesson::Lesson;
use super::sections::only_train;
use super::spec;
use super::train::{open_ended, over, shown};
use super::{Failure, Outcome, output};
use crate::base::Sources;
use crate::runtime::generate::{Made, Passes, generate};
use crate::runtime::run_dir::Run;
use crate::runtime::{DeviceKind, On, RunError, session};
use crate::sema::job::{GeneratePlan, Job, TrainPlan};

pub fn run(args: &GenerateArgs) -> Result<Outcome, Failure> {
    let run = open_ended(&args.run)?;
    let lesson = if run.info.asked.file.is_none() { Some(Lesson::unpack()?) } else { None };
    let added = SpecArgs { data: args.data.clone(), set: args.set.clone(), variant: None };
    let given = over(&run, lesson.as_ref(), &added);
    let Some((checked, job)) = spec::given_with_data(&given)? else { return Ok(Outcome::Errors) };
    let Some(train) = only_train(&checked.sources, &job) else { return Ok(Outcome::Errors) };
    let plans = chosen(&job, args.name.as_deref())?;
    let device = args.device.map_or(run.info.asked.device, |device| device.kind());
    let asked = Asked {
        sources: &checked.sources,
        train,
        run: &run,
        device,
        threads: args.threads.map_or(0, usize::from),
    };
    let passes = if args.whole { Passes::Whole } else { Passes::Steps };
    for plan in plans {
        if asked.make(plan, args.prompt.as_deref(), passes)? == Outcome::Errors {
            return Ok(Outcome::Errors);
        }
    }
    Ok(Outcome::Clean)
}

/// The section of that name, or all of them.
fn chosen<'a>(job: &'a Job, name: Option<&str>) -> Result<Vec<&'a GeneratePlan>, Failure> {
    let known: Vec<&str> = job.generates.iter().map(|plan| &*plan.name).collect();
    let found: Vec<_> =
        job.generates.iter().filter(|plan| name.is_none_or(|name| plan.name == name)).collect();
    match (found.is_empty(), known.is_empty(), name) {
        (false, _, _) => Ok(found),
        (true, true, _) => {
            Err(Failure("the spec of the run has no `generate` section that says what to make".to_string()))
        }
        (true, false, name) => Err(Failure(format!(
            "the spec of the run has no `generate {}`, but {}",
            name.unwrap_or_default(),
            known.join(", ")
        ))),
    }
}

/// What is made by which run, and where.
pub struct Asked<'a> {
    pub sources: &'a Sources,
    pub train: &'a TrainPlan,
    pub run: &'a Run,
    pub device: DeviceKind,
    /// 0 for as many as the machine has cores.
    pub threads: usize,
}

impl Asked<'_> {
    /// Makes what one section says, and tells it.
    pub fn make(
        &self,
        plan: &GeneratePlan,
        prompt: Option<&str>,
        passes: Passes,
    ) -> Result<Outcome, Failure> {
        let threads = if self.threads == 0 { session::default_threads() } else { self.threads };
        let made = On::open(self.device, threads, plan.span)
            .map_err(|wrong| RunError::from(*wrong))
            .and_then(|on| generate(plan, self.train, self.run, on, prompt, passes));
        match made {
            Ok(made) => {
                tell(&plan.name, &made);
                Ok(Outcome::Clean)
            }
            Err(RunError::Diagnostics(wrong)) => Ok(shown(self.sources, &wrong)),
            Err(RunError::Io(why)) => Err(Failure(why)),
        }
    }
}

/// Texts go to standard output, where files lie to standard error.
fn tell(name: &str, made: &Made) {
    for (i, line) in made.lines.iter().enumerate() {
        let rule = if i == 0 { "" } else { "\n---\n\n" };
        output::out(&format!("{rule}{}\n", line.text));
    }
    if let Some(note) = &made.note {
        output::err(&format!("{name}: {note}\n"));
    }
    for file in &made.files {
        output::err(&format!("generated {name}, into {}\n", file.display()));
    }
}
