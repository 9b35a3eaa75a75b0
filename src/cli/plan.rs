//! `mlc plan`: what a training will take.

use super::args::PlanArgs;
use super::spec::{self, Checked};
use super::train::shown;
use super::{Failure, Outcome, output, sections};
use crate::diag::Diagnostic;
use crate::runtime::On;
use crate::runtime::data::{self, Dataset};
use crate::runtime::plan::{self, Report};
use crate::runtime::{paces, session, trainer};
use crate::sema::Job;
use crate::sema::job::TrainPlan;

pub fn run(args: &PlanArgs) -> Result<Outcome, Failure> {
    let Some((checked, job)) = spec::job(&args.file, &args.spec, &args.section)? else {
        return Ok(Outcome::Errors);
    };
    let Some(trains) = sections::all(&checked.sources, &job) else { return Ok(Outcome::Errors) };
    let mut reports = Vec::new();
    for train in trains {
        match report(args, &checked, &job, train) {
            Ok(report) => reports.push(report),
            Err(wrong) => return Ok(shown(&checked.sources, &wrong)),
        }
    }
    for (train, report) in trains.iter().zip(&reports).filter(|_| !args.json) {
        sections::heading(&job, train).into_iter().for_each(|line| output::out(&format!("{line}\n\n")));
        output::out(&plan::text(report));
    }
    if args.json {
        let json = match reports.as_slice() {
            [one] => serde_json::to_string(one),
            all => serde_json::to_string(all),
        };
        output::out(&format!("{}\n", json.expect("cli: a report is plain data")));
    }
    Ok(Outcome::Clean)
}

fn report(
    args: &PlanArgs,
    checked: &Checked,
    job: &Job,
    train: &TrainPlan,
) -> Result<Report, Vec<Diagnostic>> {
    let threads = match args.threads {
        Some(threads) => usize::from(threads),
        None => session::default_threads(),
    };
    let on = On::open(args.device.kind(), threads, train.span).map_err(|wrong| vec![*wrong])?;
    planned(checked, job, train, on)
}

/// Data that are not here are done without, unless a size comes from them.
fn planned(checked: &Checked, job: &Job, train: &TrainPlan, on: On) -> Result<Report, Vec<Diagnostic>> {
    let library = checked.library();
    let report = |data: Option<&Dataset>| match on {
        On::Cpu { threads } => Ok(plan::report(&library, job, train, data, threads)),
        #[cfg(feature = "gpu")]
        On::Gpu(device) => plan::gpu_report(&library, job, train, data, *device)
            .map_err(|fault| vec![fault.diagnostic(train.span)]),
    };
    match data::load(&job.data[train.data], &checked.places) {
        Ok(data) => {
            // What training would refuse before its first step is told here too.
            let order = trainer::train_order(train, &job.data[train.data], &data);
            for step in &train.steps {
                paces::rates(train, step, &order).map_err(|wrong| vec![*wrong])?;
            }
            report(Some(&data))
        }
        Err(wrong) => {
            let only_missing = wrong.iter().all(|d| d.code == "data::missing_file");
            let sizes_known = train.graphs().all(|graph| graph.syms().iter().all(|s| &**s == "B"));
            match only_missing && sizes_known {
                true => report(None),
                false => Err(wrong),
            }
        }
    }
}
