//! `mlc plan`: what a training will take.

use super::args::PlanArgs;
use super::spec::{self, Checked};
use super::train::{only_train, shown};
use super::{Failure, Outcome, output};
use crate::runtime::data;
use crate::runtime::plan::{self, Report};
use crate::sema::Job;
use crate::sema::job::TrainPlan;

pub fn run(args: &PlanArgs) -> Result<Outcome, Failure> {
    let Some((checked, job)) = spec::job(&args.file, &args.spec)? else { return Ok(Outcome::Errors) };
    let Some(train) = only_train(&checked.sources, &job) else { return Ok(Outcome::Errors) };
    let threads = args.threads.map_or(0, usize::from);
    let report = match planned(&checked, &job, train, threads) {
        Ok(report) => report,
        Err(wrong) => return Ok(shown(&checked.sources, &wrong)),
    };
    if args.json {
        output::out(&format!("{}\n", serde_json::to_string(&report).expect("cli: a report is plain data")));
    } else {
        output::out(&plan::text(&report));
    }
    Ok(Outcome::Clean)
}

/// Data that are not here are done without, unless a size comes from them.
fn planned(
    checked: &Checked,
    job: &Job,
    train: &TrainPlan,
    threads: usize,
) -> Result<Report, Vec<crate::diag::Diagnostic>> {
    let library = checked.library();
    match data::load(&job.data[train.data], &checked.places) {
        Ok(data) => Ok(plan::report(&library, job, train, Some(&data), threads)),
        Err(wrong) => {
            let only_missing = wrong.iter().all(|d| d.code == "data::missing_file");
            let sizes_known = train.forward.syms().iter().chain(&train.eval.syms()).all(|s| &**s == "B");
            match only_missing && sizes_known {
                true => Ok(plan::report(&library, job, train, None, threads)),
                false => Err(wrong),
            }
        }
    }
}
