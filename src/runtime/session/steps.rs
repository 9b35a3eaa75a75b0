//! The loop over steps, with what stands between them: evaluations, checkpoints, the check for Ctrl-C.

use super::state::State;
use crate::diag::Diagnostic;
use crate::ops::metric::Figure;
use crate::runtime::checkpoint;
use crate::runtime::data::{Batches, Dataset, Prefetch};
use crate::runtime::error::RunError;
use crate::runtime::progress::{Ending, Progress};
use crate::runtime::run_dir::{MetricsLog, Record, RunDir, Scope, Split};
use crate::runtime::trainer::{Evaluation, Loss, Trainer};
use crate::runtime::weights::SlotKind;
use crate::sema::job::TrainPlan;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// So many lines of steps go to `metrics.jsonl` at most, unless the spec says how many.
const STEP_RECORDS: u64 = 1000;

/// The fixed surroundings of the loop.
pub(super) struct Run<'a, 'p> {
    pub plan: &'a TrainPlan,
    pub data: &'a Dataset,
    pub dir: &'a RunDir,
    pub log: MetricsLog,
    pub progress: &'p mut dyn Progress,
    pub started: Instant,
    /// Seconds of training before that, of a run that goes on.
    pub before: f64,
    pub until: u64,
    /// Steps between two evaluations.
    pub pause: u64,
    /// The best weights so far as a file, if the plan chooses among them.
    pub best: Option<Vec<u8>>,
    /// The step of the last checkpoint.
    pub saved: Option<u64>,
    /// Of several steps, room for the loss of each, by its name: `critic.loss`.
    pub parts: Vec<(String, Figure)>,
}

/// How the loop ended, and what is wrong if the loss was not finite.
pub(super) type Ended = (Ending, Option<Diagnostic>);

impl Run<'_, '_> {
    /// Goes on to the end, or until something else ends it. Only what ends as it should is saved.
    pub fn steps(
        &mut self,
        trainer: &mut Trainer,
        state: &mut State,
        stop: &AtomicBool,
    ) -> Result<Ended, RunError> {
        if state.stopped {
            // The process ended between the last checkpoint and the end of the run.
            return Ok((Ending::Early, None));
        }
        let order = trainer.order();
        let prefetch = Prefetch::choose(self.data.train.store.row_bytes() * order.batch);
        let augmenter = self.data.augmenter(self.plan.seed);
        let steps = state.done..self.until;
        let buckets = trainer.buckets().cloned();
        let mut batches = Batches::of_training(&self.data.train, order, steps, prefetch, &augmenter, buckets);
        while let Some(batch) = batches.advance() {
            trainer.step(&batch)?;
            state.done = batch.step + 1;
            state.epoch = batch.rows.epoch + 1;
            let interrupted = stop.load(Ordering::Relaxed);
            let pauses = self.pauses_at(state.done);
            if pauses || interrupted || state.done == self.until {
                trainer.finish()?;
            }
            while let Some(loss) = trainer.next_loss() {
                self.take(state, loss, trainer.parts())?;
                if !loss.value.is_finite() {
                    return Ok((Ending::NotFinite, Some(not_finite(self.plan, &loss, trainer.parts()))));
                }
            }
            if pauses {
                self.evaluate(trainer, state)?;
                if state.stopped {
                    self.save(trainer, state)?;
                    return Ok((Ending::Early, None));
                }
                if self.plan.checkpoint.is_some() {
                    self.save(trainer, state)?;
                }
            }
            if interrupted {
                self.save(trainer, state)?;
                return Ok((Ending::Interrupted, None));
            }
        }
        if state.done > 0 {
            self.save(trainer, state)?;
        }
        Ok((Ending::Complete, None))
    }

    /// Whether an evaluation is due after so many steps, however long the run is.
    pub fn pauses_at(&self, done: u64) -> bool {
        done.is_multiple_of(self.pause)
    }

    /// Seconds of training, those before a resumption included.
    pub fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    /// Reports the training loss since the last time and evaluates the validation split; those who watch are told.
    pub fn evaluate(&mut self, trainer: &mut Trainer, state: &mut State) -> Result<(), RunError> {
        let mean = Evaluation { loss: state.sum / state.rows as f64, metrics: self.means(state) };
        self.report(state, Split::Train, &mean)?;
        state.train_loss = Some(mean.loss);
        (state.sum, state.rows) = (0.0, 0);
        state.parts.fill((0.0, 0));
        if !self.data.valid.is_empty() {
            let evaluation = trainer.evaluate(&self.data.valid)?;
            self.report(state, Split::Valid, &evaluation)?;
            trainer.observe(&evaluation);
            state.valid = Some(evaluation);
        }
        self.watch(trainer, state)
    }

    /// Of several steps, the loss of each since the last time.
    fn means(&self, state: &State) -> Vec<(String, Figure)> {
        let mean = |(sum, rows): &(f64, usize)| (*rows > 0).then(|| sum / *rows as f64);
        let all = self.parts.iter().zip(&state.parts);
        all.map(|((name, _), sum)| (name.clone(), Figure::Number(mean(sum)))).collect()
    }

    /// Early stopping, and the choice of the best weights.
    fn watch(&mut self, trainer: &mut Trainer, state: &mut State) -> Result<(), RunError> {
        let mut better = false;
        if let Some(stop) = &self.plan.stop {
            let verdict = state.patience.see(&stop.rule, state.value(&stop.monitor));
            state.stopped = verdict.stop;
            better = stop.rule.restore_best && verdict.best;
        }
        let Some(monitor) = self.plan.chooser() else { return Ok(()) };
        let by_checkpoint = self.plan.stop.as_ref().is_none_or(|stop| !stop.rule.restore_best);
        if by_checkpoint {
            let value = state.value(monitor);
            better = state.best.as_ref().is_none_or(|best| monitor.better.prefers(value, best.value));
        }
        if better {
            trainer.sync()?;
            self.best = Some(trainer.weights().to_safetensors(SlotKind::Weight, state.done));
            state.best = Some(state.as_best(monitor));
        }
        Ok(())
    }

    /// Writes a checkpoint of now, unless there is one, and removes those that are not kept.
    fn save(&mut self, trainer: &mut Trainer, state: &mut State) -> Result<(), RunError> {
        if self.saved != Some(state.done) {
            self.write(trainer, state)?;
            self.saved = Some(state.done);
        }
        let kept = self.plan.checkpoint.as_ref();
        let best = state.best.as_ref().map(|best| best.step);
        let best = best.filter(|_| kept.is_some_and(|c| c.best.is_some()));
        checkpoint::prune(self.dir.path(), kept.map_or(1, |c| c.keep), best)
    }

    fn write(&mut self, trainer: &mut Trainer, state: &mut State) -> Result<(), RunError> {
        trainer.sync()?;
        state.observed = trainer.observed();
        state.seconds = self.seconds();
        state.log = self.log.synced()?;
        let weights = trainer.weights();
        let mut files = vec![
            (checkpoint::MODEL, weights.to_safetensors(SlotKind::Weight, state.done)),
            (checkpoint::OPTIMIZER, weights.to_safetensors(SlotKind::State, state.done)),
        ];
        let is_best = state.best.as_ref().is_some_and(|best| best.step == state.done);
        if let Some(best) = self.best.as_ref().filter(|_| !is_best) {
            files.push((checkpoint::BEST, best.clone()));
        }
        let yaml = serde_yaml::to_string(state).expect("runtime: a state is plain data");
        files.push((checkpoint::STATE, yaml.into_bytes()));
        checkpoint::write(self.dir.path(), state.done, &files)
    }

    /// Notes the loss of a step, which may be older than the last step done.
    fn take(&mut self, state: &mut State, loss: Loss, parts: &[f32]) -> Result<(), RunError> {
        let value = f64::from(loss.value);
        let mut own = std::mem::take(&mut self.parts);
        for ((_, figure), part) in own.iter_mut().zip(parts) {
            *figure = Figure::Number(part.is_finite().then_some(f64::from(*part)));
        }
        let taken = self.noted(state, loss, value, &own);
        for (sum, part) in state.parts.iter_mut().zip(parts).filter(|(_, part)| part.is_finite()) {
            *sum = (sum.0 + f64::from(*part) * loss.rows as f64, sum.1 + loss.rows);
        }
        self.parts = own;
        taken
    }

    fn noted(
        &mut self,
        state: &mut State,
        loss: Loss,
        value: f64,
        parts: &[(String, Figure)],
    ) -> Result<(), RunError> {
        let record = Record {
            step: loss.step,
            epoch: loss.epoch,
            ..self.record(state, Scope::Step, Split::Train, value, parts)
        };
        if !loss.value.is_finite() {
            return self.log.append(&record);
        }
        state.sum += value * loss.rows as f64;
        state.rows += loss.rows;
        let every = self.plan.log.unwrap_or(self.until.div_ceil(STEP_RECORDS).max(1));
        let last = self.plan.log.is_none() && loss.step == self.until;
        if loss.step.is_multiple_of(every) || last {
            self.log.append(&record)?;
        }
        self.progress.step(&record);
        Ok(())
    }

    fn record<'m>(
        &self,
        state: &State,
        of: Scope,
        split: Split,
        loss: f64,
        metrics: &'m [(String, Figure)],
    ) -> Record<'m> {
        Record { of, step: state.done, epoch: state.epoch, split, loss, metrics, seconds: self.seconds() }
    }

    pub fn report(&mut self, state: &State, split: Split, evaluation: &Evaluation) -> Result<(), RunError> {
        let record = self.record(state, Scope::Epoch, split, evaluation.loss, &evaluation.metrics);
        self.progress.epoch(&record);
        self.log.append(&record)
    }
}

fn not_finite(plan: &TrainPlan, loss: &Loss, parts: &[f32]) -> Diagnostic {
    let acts = |i: usize| plan.steps[i].acts(loss.step - 1);
    let first = (0..parts.len()).find(|&i| acts(i) && !parts[i].is_finite()).unwrap_or(0);
    let by = &plan.steps[first];
    let of = by.name.as_ref().map_or(String::new(), |name| format!(" of `{name}`"));
    let message = format!("the loss{of} is {} at step {} (epoch {})", loss.value, loss.step, loss.epoch);
    let lr = by.optimizer.settings.iter().find(|(name, _)| name == "lr");
    let smaller =
        lr.map_or("a smaller learning rate".to_string(), |(_, lr)| format!("`lr={}`", rounded(lr / 10.0)));
    Diagnostic::error("run::not_finite", message, by.optimizer.span, "trained by this").help(format!(
        "try {smaller}; if the loss is not finite from the first step, look for inputs that are not scaled, a \
         logarithm of 0 or a division by 0"
    ))
}

/// A tenth of a number in two digits, as people write it: 0.01, not 0.009999999776.
fn rounded(x: f64) -> f64 {
    format!("{x:.1e}").parse().expect("runtime: a number that was printed")
}
