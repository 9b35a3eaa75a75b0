//! `mlc verify`: one step, three ways.

use super::args::{Device, VerifyArgs};
use super::spec::{self, Checked};
use super::train::shown;
use super::{Failure, Outcome, output, sections};
use crate::diag::Diagnostic;
use crate::runtime::data;
use crate::sema::Job;
use crate::sema::job::TrainPlan;
use crate::tools::verify::{self, Gpu, Options, Report};

pub fn run(args: &VerifyArgs) -> Result<Outcome, Failure> {
    let Some((checked, job)) = spec::job(&args.file, &args.spec, &args.section)? else {
        return Ok(Outcome::Errors);
    };
    let Some(trains) = sections::all(&checked.sources, &job) else { return Ok(Outcome::Errors) };
    let options = Options {
        batch: args.batch.map(|batch| batch as usize),
        threads: args.threads.map_or(0, usize::from),
        gpu: match args.device {
            None => Gpu::IfThere,
            Some(Device::Gpu) => Gpu::Required,
            Some(Device::Cpu) => Gpu::LeftOut,
        },
        tamper: None,
    };
    let mut reports = Vec::new();
    for train in trains {
        match verified(&checked, &job, train, &options) {
            Ok(report) => reports.push(report),
            Err(wrong) => return Ok(shown(&checked.sources, &wrong)),
        }
    }
    for (train, report) in trains.iter().zip(&reports).filter(|_| !args.json) {
        sections::heading(&job, train).into_iter().for_each(|line| output::out(&format!("{line}\n\n")));
        output::out(&verify::text(report));
    }
    if args.json {
        let json = match reports.as_slice() {
            [one] => serde_json::to_string(one),
            all => serde_json::to_string(all),
        };
        output::out(&format!("{}\n", json.expect("cli: a report is plain data")));
    }
    let wrong: Vec<Diagnostic> = reports.iter().flat_map(verify::diagnostics).collect();
    match wrong.as_slice() {
        [] => Ok(Outcome::Clean),
        wrong => Ok(shown(&checked.sources, wrong)),
    }
}

/// Data that are not here are done without, unless a size comes from them.
fn verified(
    checked: &Checked,
    job: &Job,
    train: &TrainPlan,
    options: &Options,
) -> Result<Report, Vec<Diagnostic>> {
    let loaded = data::load(&job.data[train.data], &checked.places);
    let data = match loaded {
        Ok(data) => Some(data),
        Err(wrong) => {
            let only_missing = wrong.iter().all(|d| d.code == "data::missing_file");
            let sizes_known = train.forwards().all(|graph| graph.syms().iter().all(|s| &**s == "B"));
            if !(only_missing && sizes_known) {
                return Err(wrong);
            }
            None
        }
    };
    let library = checked.library();
    verify::verify(&library, &checked.sources, job, train, data.as_ref(), options)
        .map_err(|wrong| vec![*wrong])
}
