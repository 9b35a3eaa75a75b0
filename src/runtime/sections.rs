//! Several `train` sections of a spec: a run for each, in turn, on the weights of those before.
//!
//! Each is a run like any other in a folder of its own, which bears the section's name. Its `run.yaml` notes the
//! section, as if `--train <name>` had been said, and the files of weights that it began with, so whatever can be done
//! with a run can be done with it. A section starts from the weights that earlier ones ended with, the latest of each
//! name, and draws those that none of them had; states of optimizers begin anew. The `run.yaml` above them holds what
//! the last one came to. Resuming the whole leaves sections that are done alone, goes on with the one that is not, and
//! trains those that are missing.

use super::checkpoint::MODEL;
use super::data::{Dataset, FileInfo};
use super::error::RunError;
use super::folds::{Before, state_of};
use super::progress::{Ending, Progress};
use super::run_dir::{Finished, Run, RunDir, RunInfo, Section, Sections};
use super::session::{self, Options};
use crate::diag::Diagnostic;
use crate::ops::Library;
use crate::sema::Job;
use crate::sema::job::TrainPlan;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What came of all sections.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub folder: PathBuf,
    pub ending: Ending,
    pub info: RunInfo,
    /// Why a section stopped, if its loss was not finite.
    pub problem: Option<Diagnostic>,
}

/// The data of each section that is fed, by its index in the job.
pub type Datasets = BTreeMap<usize, Dataset>;

/// Trains every section of a job in the order of the spec. `stop` ends it after the step at hand.
///
/// # Errors
/// All that [`session::train`] reports.
///
/// # Panics
/// If a section has no name, or its data are not among `data`.
pub fn train(
    lib: &Library,
    job: &Job,
    data: &Datasets,
    options: &Options,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Outcome, RunError> {
    let dir = match &options.resume {
        Some(run) => RunDir::at(&run.folder),
        None => RunDir::create(options.out.as_deref(), &job.name)?,
    };
    let first = session::info_before(job, &job.trains[0], &data[&job.trains[0].data], options);
    let files = data.values().flat_map(|data| data.files.clone()).collect();
    let begun = RunInfo { data: files, ..first };
    let mut all = All {
        of: job.trains.iter().map(|plan| name_of(plan).to_string()).collect(),
        begun,
        infos: Vec::new(),
    };
    dir.write_spec(&options.spec)?;
    dir.write_info(&all.info(Finished::Running))?;
    let (mut problem, mut ending) = (None, Ending::Complete);
    let mut earlier = Vec::new();
    for (at, plan) in job.trains.iter().enumerate() {
        let folder = dir.path().join(name_of(plan));
        let mut own = of_section(options, plan, &folder, &earlier);
        match state_of(&folder)? {
            Before::Nothing => {}
            Before::Part(resumption) => own.resume = Some(*resumption),
            Before::All(info) => {
                all.infos.push(*info);
                earlier.push(weights_of(&folder)?);
                continue;
            }
        }
        // Weights from outside are where the first section begins; later ones have them from there.
        own.init = options.init.clone().filter(|_| at == 0);
        progress.section(name_of(plan), at + 1, job.trains.len());
        let alone = Job { trains: vec![plan.clone()], ..job.clone() };
        let trained = session::train(lib, &alone, &alone.trains[0], &data[&plan.data], &own, progress, stop);
        if trained.is_err() && at == 0 && options.resume.is_none() && !folder.exists() {
            // What cannot start leaves nothing behind.
            let _ = std::fs::remove_dir_all(dir.path());
        }
        let outcome = trained?;
        (problem, ending) = (outcome.problem, outcome.ending);
        match ending {
            Ending::Complete | Ending::Early => all.infos.push(Run::open(&folder)?.info),
            Ending::Interrupted | Ending::NotFinite => break,
        }
        earlier.push(weights_of(&folder)?);
        dir.write_info(&all.info(Finished::Running))?;
    }
    let finished = match ending {
        // Early stopping ends a section, not all.
        Ending::Complete | Ending::Early => Finished::Complete,
        Ending::Interrupted => Finished::Interrupted,
        Ending::NotFinite => Finished::NotFinite,
    };
    let info = all.info(finished);
    dir.write_info(&info)?;
    Ok(Outcome { folder: dir.path().to_path_buf(), ending, info, problem })
}

/// The name of one of several sections.
fn name_of(plan: &TrainPlan) -> &str {
    plan.name.as_deref().expect("sema: each of several train sections has a name")
}

/// A file of weights: what is noted of it, its name and its bytes.
type Ended = (FileInfo, (String, Vec<u8>));

/// The weights that a section ended with.
fn weights_of(folder: &Path) -> Result<Ended, RunError> {
    let path = folder.join(MODEL);
    let bytes = std::fs::read(&path).map_err(|e| RunError::io("read", &path, &e))?;
    let path = std::path::absolute(&path).unwrap_or(path);
    let info = FileInfo::of(&path, &bytes);
    Ok((info.clone(), (info.path, bytes)))
}

/// The options of one section's run.
fn of_section(options: &Options, plan: &TrainPlan, folder: &Path, earlier: &[Ended]) -> Options {
    let mut own = Options { out: Some(folder.to_path_buf()), resume: None, init: None, ..options.clone() };
    own.asked.train = Some(name_of(plan).to_string());
    own.asked.init = options.asked.init.clone().filter(|_| earlier.is_empty());
    own.asked.earlier = earlier.iter().map(|(info, _)| info.clone()).collect();
    own.earlier = earlier.iter().map(|(_, file)| file.clone()).collect();
    own
}

/// The sections that are done.
struct All {
    of: Vec<String>,
    /// What is known before.
    begun: RunInfo,
    /// Of those that are done.
    infos: Vec<RunInfo>,
}

impl All {
    /// What the last section that is done came to, and each one's own.
    fn info(&self, finished: Finished) -> RunInfo {
        let last = self.infos.last().unwrap_or(&self.begun);
        let done = self.infos.iter().zip(&self.of).map(|(info, name)| Section {
            name: name.clone(),
            rows: info.rows.clone(),
            steps: info.steps,
            weights_hash: info.weights_hash.clone(),
            results: info.results.clone(),
        });
        RunInfo {
            asked: self.begun.asked.clone(),
            data: self.begun.data.clone(),
            steps: self.infos.iter().map(|info| info.steps).sum(),
            epochs: self.infos.iter().map(|info| info.epochs).sum(),
            seconds: self.infos.iter().map(|info| info.seconds).sum(),
            resumed: Vec::new(),
            finished,
            sections: Some(Sections { of: self.of.clone(), done: done.collect() }),
            ..last.clone()
        }
    }
}

/// The folder whose weights a run ended with: its own, or of a run of several sections that of the last.
///
/// # Errors
/// If the last section has not begun.
pub fn ended_in(run: Run) -> Result<Run, RunError> {
    let Some(sections) = &run.info.sections else { return Ok(run) };
    let last = sections.of.last().expect("sections: there are several");
    let (shown, folder) = (run.path.display(), run.path.join(last));
    if folder.exists() {
        return Run::open(&folder);
    }
    let before = sections.done.last();
    let there = before.map_or(String::new(), |s| format!(", or name `{shown}/{}`, which is done", s.name));
    Err(RunError::Io(format!(
        "`{shown}` has not come to its section `{last}`: go on with `mlc train --resume {shown}`{there}"
    )))
}
