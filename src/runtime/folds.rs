//! Cross-validation: a run for each fold, and what they have in common.
//!
//! Every fold is a run like any other in a folder of its own, `fold-1` to `fold-k`, with fresh weights from the
//! same seed and with everything that is fitted, fitted on its own training rows. Its `run.yaml` notes which fold it
//! is as if `--set <data>.split.fold=<n>` had been said, so whatever can be done with a run can be done with it.
//! The `run.yaml` above them holds means and spreads of their results. Resuming the whole leaves folds that are done
//! alone, goes on with the one that is not, and trains those that are missing.

use super::data::{self, Dataset, Places};
use super::error::RunError;
use super::plan;
use super::progress::{Ending, Progress};
use super::run_dir::{Finished, Fold, Folds, Results, Run, RunDir, RunInfo};
use super::session::{self, Options, Resumption};
use super::tables;
use crate::diag::Diagnostic;
use crate::ops::Library;
use crate::ops::metric::{Confusion, Figure, shown};
use crate::sema::Job;
use crate::sema::job::DataPlan;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What came of all folds.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub folder: PathBuf,
    pub ending: Ending,
    pub info: RunInfo,
    /// Why a fold stopped, if its loss was not finite.
    pub problem: Option<Diagnostic>,
}

/// How many runs the first train section of a job takes: more than one if its rows are cut into folds and none
/// of them is named.
pub fn runs(job: &Job) -> Option<usize> {
    let split = &job.data[job.trains.first()?.data].split;
    split.kfold.filter(|_| split.fold.is_none())
}

/// Data sets of all folds together that are kept while the first is trained; larger ones are read again.
const KEPT_BYTES: usize = 1 << 30;

/// Trains every fold of the first train section; `first` is the data of its first fold. `stop` ends it after the step at hand.
///
/// # Errors
/// All that [`session::train`] and [`data::load`] report. The files are read for every fold before the first
/// is trained, so that a bad one leaves nothing behind.
pub fn train(
    lib: &Library,
    job: &Job,
    places: &Places,
    first: Dataset,
    options: &Options,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Outcome, RunError> {
    let folds = runs(job).expect("folds: the job has some");
    let section = &job.data[job.trains[0].data];
    let mut loaded = load_all(section, folds, places, first)?;
    let first = loaded[0].as_ref().expect("folds: the first is kept");
    let begun = session::info_before(job, &job.trains[0], first, options);
    let dir = match &options.resume {
        Some(run) => RunDir::at(&run.folder),
        None => RunDir::create(options.out.as_deref(), &job.name)?,
    };
    let fresh = options.resume.is_none();
    let mut all = All { of: folds, begun, infos: Vec::new() };
    dir.write_spec(&options.spec)?;
    dir.write_info(&all.info(Finished::Running))?;
    let mut problem = None;
    let mut ending = Ending::Complete;
    for (fold, kept) in loaded.iter_mut().enumerate() {
        let (job, mut options) = of_fold(job, options, fold, dir.path());
        options.resume = match state_of(&dir.path().join(folder_name(fold)))? {
            Before::Nothing => None,
            Before::Part(resumption) => Some(*resumption),
            Before::All(info) => {
                all.infos.push(*info);
                continue;
            }
        };
        let data = match kept.take() {
            Some(data) => data,
            None => data::load(&job.data[job.trains[0].data], places)?,
        };
        progress.fold(fold + 1, folds);
        let trained = session::train(lib, &job, &job.trains[0], &data, &options, progress, stop);
        if trained.is_err() && fold == 0 && fresh && !dir.path().join(folder_name(fold)).exists() {
            // What cannot start leaves nothing behind.
            let _ = std::fs::remove_dir_all(dir.path());
        }
        let outcome = trained?;
        let info = Run::open(&outcome.folder)?.info;
        (problem, ending) = (outcome.problem, outcome.ending);
        match ending {
            Ending::Complete | Ending::Early => all.infos.push(info),
            Ending::Interrupted | Ending::NotFinite => break,
        }
        dir.write_info(&all.info(Finished::Running))?;
    }
    let finished = match ending {
        // Early stopping ends a fold, not all.
        Ending::Complete | Ending::Early => Finished::Complete,
        Ending::Interrupted => Finished::Interrupted,
        Ending::NotFinite => Finished::NotFinite,
    };
    let info = all.info(finished);
    dir.write_info(&info)?;
    progress.folds(&info, dir.path());
    Ok(Outcome { folder: dir.path().to_path_buf(), ending, info, problem })
}

/// What an earlier process did of a run below another.
pub(super) enum Before {
    Nothing,
    Part(Box<Resumption>),
    All(Box<RunInfo>),
}

pub(super) fn state_of(folder: &Path) -> Result<Before, RunError> {
    if !folder.exists() {
        return Ok(Before::Nothing);
    }
    if !folder.join("run.yaml").exists() {
        // It was ended before it had begun.
        std::fs::remove_dir_all(folder).map_err(|e| RunError::io("remove", folder, &e))?;
        return Ok(Before::Nothing);
    }
    let run = Run::open(folder)?;
    Ok(match run.info.finished {
        Finished::Complete | Finished::Early => Before::All(Box::new(run.info)),
        Finished::Running | Finished::Interrupted | Finished::NotFinite | Finished::Failed => {
            Before::Part(Box::new(Resumption::read(&run)?))
        }
    })
}

/// The data of each fold, as far as they can be held at once; all have been read.
fn load_all(
    section: &DataPlan,
    folds: usize,
    places: &Places,
    first: Dataset,
) -> Result<Vec<Option<Dataset>>, Vec<Diagnostic>> {
    let mut all = vec![Some(first)];
    for fold in 1..folds {
        let data = data::load(&with_fold(section, fold), places)?;
        all.push((data.bytes() * folds <= KEPT_BYTES).then_some(data));
    }
    Ok(all)
}

fn with_fold(section: &DataPlan, fold: usize) -> DataPlan {
    let mut section = section.clone();
    section.split.fold = Some(fold);
    section
}

/// The job and the options of one fold's run.
fn of_fold(job: &Job, options: &Options, fold: usize, folder: &Path) -> (Job, Options) {
    let mut job = job.clone();
    let section = &mut job.data[job.trains[0].data];
    section.split.fold = Some(fold);
    let set = format!("{}.split.fold={}", section.name, fold + 1);
    let mut options = Options { out: Some(folder.join(folder_name(fold))), ..options.clone() };
    options.asked.set.push(set);
    (job, options)
}

fn folder_name(fold: usize) -> String {
    format!("fold-{}", fold + 1)
}

/// The folds that are done.
struct All {
    of: usize,
    /// What is known before.
    begun: RunInfo,
    /// Of those that are done.
    infos: Vec<RunInfo>,
}

impl All {
    /// What the folds have in common, means of their results, and each one's own.
    fn info(&self, finished: Finished) -> RunInfo {
        let first = self.infos.first().unwrap_or(&self.begun);
        let results: Vec<&Results> = self.infos.iter().map(|info| &info.results).collect();
        let fold = |(at, info): (usize, &RunInfo)| Fold {
            folder: folder_name(at),
            rows: info.rows.clone(),
            steps: info.steps,
            weights_hash: info.weights_hash.clone(),
            results: info.results.clone(),
        };
        RunInfo {
            asked: self.begun.asked.clone(),
            // Another in each fold.
            sizes: BTreeMap::new(),
            fitted: Vec::new(),
            rows: BTreeMap::new(),
            weights_hash: String::new(),
            weights_of: None,
            resumed: Vec::new(),
            steps: self.infos.iter().map(|info| info.steps).sum(),
            epochs: self.infos.iter().map(|info| info.epochs).sum(),
            seconds: self.infos.iter().map(|info| info.seconds).sum(),
            finished,
            results: over(&results, together),
            folds: Some(Folds {
                of: self.of,
                spread: over(&results, apart),
                done: self.infos.iter().enumerate().map(fold).collect(),
            }),
            ..first.clone()
        }
    }
}

/// One figure for each result that every fold has.
fn over(all: &[&Results], f: impl Fn(&[&Figure]) -> Option<Figure>) -> Results {
    let mut out = Results::new();
    for (split, metrics) in all.first().into_iter().copied().flatten() {
        let mut of_split = BTreeMap::new();
        for name in metrics.keys() {
            let figures: Option<Vec<&Figure>> = all.iter().map(|r| r.get(split)?.get(name)).collect();
            if let Some(figure) = figures.as_deref().and_then(&f) {
                of_split.insert(name.clone(), figure);
            }
        }
        if !of_split.is_empty() {
            out.insert(split.clone(), of_split);
        }
    }
    out
}

/// The mean of numbers, undefined if one of them is; of tables the sum, for folds share no test row.
fn together(figures: &[&Figure]) -> Option<Figure> {
    match figures.first()? {
        Figure::Number(_) => {
            let numbers: Option<Vec<f64>> = figures.iter().map(|f| f.number()).collect();
            Some(Figure::Number(numbers.as_deref().map(mean)))
        }
        Figure::Confusion(first) => {
            let mut sum = first.clone();
            for figure in &figures[1..] {
                let Figure::Confusion(Confusion { classes, counts }) = figure else { return None };
                if *classes != sum.classes {
                    return None;
                }
                let cells = sum.counts.iter_mut().flatten().zip(counts.iter().flatten());
                cells.for_each(|(sum, n)| *sum += n);
            }
            Some(Figure::Confusion(sum))
        }
        // Files have them as numbers.
        Figure::Groups(_) => None,
    }
}

/// How far numbers are spread, where all are defined.
fn apart(figures: &[&Figure]) -> Option<Figure> {
    let numbers: Option<Vec<f64>> = figures.iter().map(|f| f.number()).collect();
    spread(&numbers?).map(|spread| Figure::Number(Some(spread)))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample standard deviation, over n - 1; one value has none.
fn spread(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// More folds than these are not shown one by one.
const SHOWN: usize = 10;

/// Means, spreads and each fold's results as a table.
pub fn text(info: &RunInfo, folder: &Path) -> String {
    let Some(folds) = &info.folds else { return String::new() };
    let one_by_one = folds.done.len() <= SHOWN;
    let head = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let mut heading = head(&["split", "metric", "mean", "spread"]);
    if one_by_one {
        heading.extend(folds.done.iter().map(|fold| fold.folder.clone()));
    }
    let mut rows = vec![heading];
    let number = |x: Option<&Figure>| shown(x.and_then(Figure::number));
    let of =
        |results: &Results, split: &str, name: &str| number(results.get(split).and_then(|m| m.get(name)));
    for split in ["train", "valid", "test"] {
        let numbers = info.results.get(split).into_iter().flatten();
        for (name, _) in numbers.filter(|(_, figure)| matches!(figure, Figure::Number(_))) {
            let mut row = vec![split.to_string(), name.clone()];
            row.extend([of(&info.results, split, name), of(&folds.spread, split, name)]);
            if one_by_one {
                row.extend(folds.done.iter().map(|fold| of(&fold.results, split, name)));
            }
            rows.push(row);
        }
    }
    let (done, all, folder) = (folds.done.len(), folds.of, folder.display());
    let how_many = if done == all { format!("{all} folds") } else { format!("{done} of {all} folds") };
    let tables = info.results.get("test").into_iter().flatten().flat_map(|(name, f)| tables::lines(name, f));
    let tables: String = tables.map(|line| format!("{line}\n")).collect();
    let table = plan::table(rows);
    format!("{how_many}, into {folder}; spread is the sample standard deviation\n{table}{tables}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_of_a_sample() {
        assert_eq!((mean(&[1.0, 2.0, 4.0, 5.0]), spread(&[1.0, 3.0])), (3.0, Some(2f64.sqrt())));
        assert_eq!(spread(&[1.0]), None);
        // numpy.std([0.9, 0.95, 1.0, 0.85], ddof=1)
        assert!((spread(&[0.9, 0.95, 1.0, 0.85]).unwrap() - 0.064_549_722_436_790_28).abs() < 1e-15);
    }

    #[test]
    fn what_a_fold_lacks_has_no_mean() {
        let fold = |metrics: &[(&str, Option<f64>)]| {
            let metrics = metrics.iter().map(|(name, x)| (name.to_string(), Figure::Number(*x))).collect();
            Results::from([("test".to_string(), metrics)])
        };
        let first = fold(&[("auc", Some(0.5)), ("f1", Some(1.0)), ("loss", Some(1.0))]);
        let second = fold(&[("auc", None), ("loss", Some(3.0))]);
        assert_eq!(over(&[&first, &second], together), fold(&[("auc", None), ("loss", Some(2.0))]));
        assert_eq!(over(&[&first, &second], apart), fold(&[("loss", Some(2f64.sqrt()))]));
    }

    #[test]
    fn tables_of_folds_are_added() {
        let table = |n: u64| {
            let classes = vec!["no".to_string(), "yes".to_string()];
            Figure::Confusion(Confusion { classes, counts: vec![vec![n, 1], vec![2, n]] })
        };
        let Some(Figure::Confusion(sum)) = together(&[&table(3), &table(4)]) else { panic!("a table") };
        assert_eq!(sum.counts, [[7, 2], [4, 7]]);
    }
}
