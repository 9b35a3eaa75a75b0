//! Evaluation of a run that has ended: its weights on its data, as training evaluated them.

use super::checkpoint::MODEL;
use super::data::{Dataset, Kept, Part, Places, labelled};
use super::engine::{DeviceKind, On};
use super::error::RunError;
use super::progress::evaluation_text;
use super::run_dir::{Finished, Run, Split, WeightsOf};
use super::tables;
use super::trainer::{Evaluation, Trainer};
use super::weights::{SlotKind, misfit};
use crate::diag::Diagnostic;
use crate::ops::Library;
use crate::ops::metric::Figure;
use crate::sema::Job;
use crate::sema::job::{DataPlan, SourcePlan, StepPlan, TrainPlan};
use serde::Serialize;
use std::collections::BTreeMap;

/// Which rows.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// `"split": "test"`
    Split(Split),
    /// `"input": "new.csv"`: a file of its own.
    Input(String),
}

/// What rows of a split, or of a file, say of a run's weights.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub run: String,
    #[serde(flatten)]
    pub of: Of,
    pub rows: usize,
    /// Of which step the weights are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_of: Option<WeightsOf>,
    pub weights_hash: String,
    pub loss: f64,
    /// By name, groups flattened.
    pub metrics: BTreeMap<String, Figure>,
    #[serde(skip)]
    evaluation: Evaluation,
}

/// What to evaluate on: `split`, or else the test split, or the validation split if there is none.
pub fn chosen(split: Option<Split>, data: &Dataset) -> Split {
    match split {
        Some(split) => split,
        None if !data.test.is_empty() => Split::Test,
        None if !data.valid.is_empty() => Split::Valid,
        None => Split::Train,
    }
}

/// The rows of a file with labels, for a run that has ended: the test part of what this gives.
///
/// # Errors
/// If the run has no weights, or what is wrong with the file.
pub fn of_file(run: &Run, plan: &DataPlan, source: &SourcePlan) -> Result<Dataset, RunError> {
    weights(run)?;
    let kept = Kept { fitted: &run.info.fitted, sizes: &run.info.sizes };
    Ok(labelled(plan, &kept, source, &Places::default())?)
}

/// Evaluates the weights of a run. Dropout and its like do nothing, rows come in file order: of the splits that
/// training evaluated the result is the same to the bit.
///
/// # Errors
/// If the run has no weights yet, they do not fit the spec, or the split has no rows.
pub fn evaluate(
    lib: &Library,
    job: &Job,
    data: &Dataset,
    run: &Run,
    of: Of,
    threads: usize,
    device: DeviceKind,
) -> Result<Report, RunError> {
    // Nothing is trained: no rate is asked for, and a schedule may be longer than the rows at hand.
    let plan = &unscheduled(&job.trains[0]);
    let data_plan = &job.data[plan.data];
    let part = match &of {
        Of::Split(split) => part(data, *split),
        Of::Input(_) => &data.test,
    };
    if part.is_empty() {
        let message = format!("the data have no rows to evaluate on: the {} split is empty", of.name());
        let wrong = Diagnostic::error("run::no_rows", message, data_plan.split.span, "split here");
        return Err(wrong.help("choose another with `--split train`, `valid` or `test`").into());
    }
    let bytes = weights(run)?;
    let on = On::open(device, threads, plan.span).map_err(|wrong| *wrong)?;
    // A GPU takes the programs of all splits that it will see beforehand.
    let mut seen = data.clone();
    seen.valid = part.clone();
    let mut trainer = Trainer::new(lib, plan, data_plan, &seen, on).map_err(|wrong| *wrong)?;
    let read = trainer.set_weights(|weights| weights.read_safetensors(SlotKind::Weight, &bytes))?;
    let file = run.path.join(MODEL).display().to_string();
    read.map_err(|wrong| misfit(&file, &wrong, plan.span))?;
    let evaluation = trainer.evaluate(&seen.valid)?;
    Ok(Report {
        run: run.path.display().to_string(),
        of,
        rows: part.len(),
        weights_of: run.info.weights_of.clone(),
        weights_hash: trainer.weights().hash(),
        loss: evaluation.loss,
        metrics: evaluation.metrics.iter().flat_map(|(name, figure)| figure.flat(name)).collect(),
        evaluation,
    })
}

fn unscheduled(plan: &TrainPlan) -> TrainPlan {
    let of = |step: &StepPlan| StepPlan { schedule: None, plateau: None, ..step.clone() };
    TrainPlan { steps: plan.steps.iter().map(of).collect(), ..plan.clone() }
}

impl Of {
    fn name(&self) -> &'static str {
        match self {
            Of::Split(split) => split.name(),
            Of::Input(_) => "input",
        }
    }
}

fn part(data: &Dataset, split: Split) -> &Part {
    match split {
        Split::Train => &data.train,
        Split::Valid => &data.valid,
        Split::Test => &data.test,
    }
}

fn weights(run: &Run) -> Result<Vec<u8>, RunError> {
    let path = run.path.join(MODEL);
    let shown = run.path.display();
    if run.info.folds.is_some() {
        return Err(RunError::Io(format!(
            "`{shown}` holds a run for each fold: evaluate one of them, such as `{shown}/fold-1`"
        )));
    }
    std::fs::read(&path).map_err(|e| match (e.kind(), run.info.finished) {
        (std::io::ErrorKind::NotFound, Finished::Running | Finished::Failed) => RunError::Io(format!(
            "`{shown}` has not ended, so it has no weights yet: `mlc train --resume {shown}` goes on with it"
        )),
        _ => RunError::io("read", &path, &e),
    })
}

impl Report {
    /// `test   loss 0.0812  accuracy 0.9763  (360 rows, weights of step 1180)`, and what needs lines of its own.
    pub fn text(&self) -> String {
        let of =
            self.weights_of.as_ref().map_or(String::new(), |of| format!(", weights of step {}", of.step));
        let line = evaluation_text(self.of.name(), self.loss, &self.evaluation.metrics);
        let mut text = format!("{line}  ({} rows{of})\n", self.rows);
        for (name, figure) in &self.evaluation.metrics {
            tables::lines(name, figure).iter().for_each(|line| text += &format!("{line}\n"));
        }
        text
    }
}
