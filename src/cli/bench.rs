//! `mlc bench`: the time of a training step.

use super::args::BenchArgs;
use super::sections::only_train;
use super::train::{load, shown};
use super::{Failure, Outcome, output, spec};
use crate::runtime::RunError;
use crate::runtime::bench::{self, Options};

pub fn run(args: &BenchArgs) -> Result<Outcome, Failure> {
    let Some((checked, mut job)) = spec::job_with_data(&args.file, &args.spec, &args.section)? else {
        return Ok(Outcome::Errors);
    };
    let Some(data_index) = only_train(&checked.sources, &job).map(|t| t.data) else {
        return Ok(Outcome::Errors);
    };
    if let Some(batch) = args.batch {
        job.data[data_index].batch = batch as usize;
    }
    let train = &job.trains[0];
    let Some(data) = load(&checked, &job, train) else { return Ok(Outcome::Errors) };
    let options = Options {
        seconds: args.seconds,
        threads: args.threads.map_or(0, usize::from),
        device: args.device.kind(),
        kernels: args.kernels,
        ..Options::default()
    };
    match bench::bench(&checked.library(), &job, train, &data, &options) {
        Ok(report) if args.json => {
            let json = serde_json::to_string(&report).expect("cli: a report is plain data");
            output::out(&format!("{json}\n"));
            Ok(Outcome::Clean)
        }
        Ok(report) => {
            output::out(&bench::text(&report));
            Ok(Outcome::Clean)
        }
        Err(RunError::Diagnostics(wrong)) => Ok(shown(&checked.sources, &wrong)),
        Err(RunError::Io(why)) => Err(Failure(why)),
    }
}
