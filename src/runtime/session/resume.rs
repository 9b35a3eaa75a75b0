//! Taking a run up again where its latest checkpoint stands.

use super::state::State;
use crate::diag::Diagnostic;
use crate::runtime::checkpoint::{self, BEST, MODEL, OPTIMIZER};
use crate::runtime::error::RunError;
use crate::runtime::run_dir::{Finished, Run};
use crate::runtime::trainer::Trainer;
use crate::runtime::weights::SlotKind;
use crate::sema::job::TrainPlan;
use std::path::PathBuf;

/// A run to go on with, as its latest checkpoint has it; without one, from the start.
#[derive(Clone, Debug)]
pub struct Resumption {
    pub folder: PathBuf,
    pub state: State,
    finished: Finished,
    /// The steps of earlier resumptions.
    pub earlier: Vec<u64>,
    weights: Option<[Vec<u8>; 2]>,
    best: Option<Vec<u8>>,
}

impl Resumption {
    /// Reads what the steps to come need.
    ///
    /// # Errors
    /// If the checkpoint is damaged.
    pub fn read(run: &Run) -> Result<Resumption, RunError> {
        let start = Resumption {
            folder: run.path.clone(),
            state: State::default(),
            finished: run.info.finished,
            earlier: run.info.resumed.clone(),
            weights: None,
            best: None,
        };
        let Some(latest) = checkpoint::all(&run.path)?.pop() else { return Ok(start) };
        let state: State = latest.state()?;
        let best = match &state.best {
            Some(best) if best.step == state.done => Some(latest.read(MODEL)?),
            Some(_) => Some(latest.read(BEST)?),
            None => None,
        };
        let weights = Some([latest.read(MODEL)?, latest.read(OPTIMIZER)?]);
        Ok(Resumption { state, weights, best, ..start })
    }

    /// Whether no weights are there yet, so that the first ones are wanted.
    pub fn is_at_start(&self) -> bool {
        self.weights.is_none()
    }

    /// Whether there is anything left to do.
    pub fn goes_on(&self, until: u64) -> Result<(), RunError> {
        let (shown, done) = (self.folder.display(), self.state.done);
        let ended = matches!(self.finished, Finished::Complete | Finished::Early);
        if self.state.stopped && ended {
            return Err(RunError::Io(format!(
                "`{shown}` was ended after {done} steps by early stopping, so it has nothing to go on with: train \
                 anew with more `patience`, as `mlc train --like {shown} --set train.stop.patience=N` does"
            )));
        }
        if done > until || (done == until && ended) {
            return Err(RunError::Io(format!(
                "`{shown}` has done {done} of {until} steps: say how far it is to go, as `--steps {}` or \
                 `--set train.epochs=N` do",
                2 * done.max(1)
            )));
        }
        Ok(())
    }

    /// Gives the trainer its weights and states back; hands out the best weights so far.
    pub fn restore(&self, trainer: &mut Trainer, plan: &TrainPlan) -> Result<Option<Vec<u8>>, RunError> {
        let misfit = |why: String| {
            let message = format!("the checkpoint of `{}` does not fit: {why}", self.folder.display());
            let wrong = Diagnostic::error("run::resume", message, plan.span, "trained here");
            RunError::from(wrong.help("resume with the version of mlc that wrote it, or train anew"))
        };
        let Some([model, optimizer]) = &self.weights else { return Ok(None) };
        let read = trainer.set_weights(|weights| {
            weights.read_safetensors(SlotKind::Weight, model)?;
            weights.read_safetensors(SlotKind::State, optimizer)
        })?;
        read.map_err(|wrong| misfit(wrong.join("; ")))?;
        trainer.remember(&self.state.observed).map_err(misfit)?;
        Ok(self.best.clone())
    }
}
