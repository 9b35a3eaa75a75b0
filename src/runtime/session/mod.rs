//! A training run from first weights to the last file.
//!
//! Steps allocate nothing; between them stand evaluations, logging and the check for Ctrl-C. What
//! happens depends on spec, data and seed alone: clocks are only reported.

mod about;

use crate::diag::Diagnostic;
use crate::ops::Library;
use crate::ops::metric::Figure;
use crate::runtime::data::{Batches, Dataset, Prefetch};
use crate::runtime::engine::On;
use crate::runtime::error::RunError;
use crate::runtime::progress::{Begin, End, Ending, Progress};
use crate::runtime::run_dir::{Asked, MetricsLog, Record, RunDir, Scope, Split};
use crate::runtime::trainer::{Evaluation, Loss, Trainer, planned_run};
use crate::runtime::weights::{SlotKind, misfit};
use crate::sema::job::{Job, TrainPlan};
use about::About;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What the command line decides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The text of the spec, for the run directory.
    pub spec: String,
    pub asked: Asked,
    /// 0 for as many as the machine has cores.
    pub threads: usize,
    pub out: Option<PathBuf>,
    /// Weights to start from: the name of the file and its bytes.
    pub init: Option<(String, Vec<u8>)>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub folder: PathBuf,
    pub ending: Ending,
    pub steps: u64,
    pub seconds: f64,
    pub weights_hash: String,
    /// The last average of the training loss, the last validation, the test.
    pub train_loss: Option<f64>,
    pub valid: Option<Evaluation>,
    pub test: Option<Evaluation>,
    /// Why the run stopped, if the loss was not finite.
    pub problem: Option<Diagnostic>,
}

/// Every so many lines of steps go to `metrics.jsonl`, at most.
const STEP_RECORDS: u64 = 1000;

/// Threads when nobody says.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs one train section of a job. `stop` ends it after the step at hand.
pub fn train(
    lib: &Library,
    job: &Job,
    plan: &TrainPlan,
    data: &Dataset,
    options: &Options,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Outcome, RunError> {
    let began = Instant::now();
    let threads = if options.threads == 0 { default_threads() } else { options.threads };
    let data_plan = &job.data[plan.data];
    let on = On::open(options.asked.device, threads, plan.span).map_err(|wrong| *wrong)?;
    let device = on.name();
    let mut trainer = Trainer::new(lib, plan, data_plan, data, on).map_err(|wrong| *wrong)?;
    if let Some((name, bytes)) = &options.init {
        let read = trainer.set_weights(|weights| weights.read_safetensors(SlotKind::Weight, bytes))?;
        read.map_err(|wrong| misfit(name, &wrong, plan.span))?;
    }
    let order = trainer.order();
    if order.steps_per_epoch() == 0 {
        let message = format!("an epoch has no batch: {} rows, batches of {}", order.rows, order.batch);
        let diagnostic = Diagnostic::error("run::no_batch", message, data_plan.span, "this data section");
        return Err(diagnostic.help("make `batch` smaller, or leave `drop_last` out").into());
    }
    let until = options.asked.steps.unwrap_or(planned_run(plan, &order).steps);
    if until > 0 {
        // The first program before the first batch: the gatherer's thread works meanwhile.
        trainer.prepare(order.rows_of(0).count)?;
    }
    let about = About { job, plan, data, asked: &options.asked, threads, device: &device };
    let dir = RunDir::create(options.out.as_deref(), &job.name)?;
    dir.write_spec(&options.spec)?;
    dir.write_info(&about.running())?;
    progress.begin(&Begin {
        spec: &job.name,
        parameters: trainer.weights().parameters(),
        rows: order.rows,
        steps: until,
        steps_per_epoch: order.steps_per_epoch(),
        device: &device,
        ready_seconds: began.elapsed().as_secs_f64(),
        folder: dir.path(),
    });

    let mut run = Run { plan, data, log: dir.metrics()?, progress, started: Instant::now(), until };
    let mut state = run.steps(&mut trainer, stop)?;
    if state.ending == Ending::Complete && until > 0 && !data.test.is_empty() {
        let evaluation = trainer.evaluate(&data.test)?;
        run.report(&state, Split::Test, &evaluation)?;
        state.test = Some(evaluation);
    }
    let seconds = run.started.elapsed().as_secs_f64();
    trainer.sync()?;
    dir.write("model.safetensors", &trainer.weights().to_safetensors(SlotKind::Weight, state.done))?;
    dir.write("optimizer.safetensors", &trainer.weights().to_safetensors(SlotKind::State, state.done))?;
    let info = about.finished(&state, seconds, trainer.weights().hash());
    dir.write_info(&info)?;
    let (ending, steps, weights_hash) = (state.ending, state.done, info.weights_hash);
    progress.end(&End { ending, steps, seconds, weights_hash: &weights_hash, folder: dir.path() });
    Ok(Outcome {
        folder: dir.path().to_path_buf(),
        ending,
        steps,
        seconds,
        weights_hash,
        train_loss: state.train_loss,
        valid: state.valid,
        test: state.test,
        problem: state.problem,
    })
}

/// The fixed surroundings of the loop over steps.
struct Run<'a, 'p> {
    plan: &'a TrainPlan,
    data: &'a Dataset,
    log: MetricsLog,
    progress: &'p mut dyn Progress,
    started: Instant,
    until: u64,
}

/// How far a run is.
struct State {
    done: u64,
    epoch: u64,
    ending: Ending,
    train_loss: Option<f64>,
    valid: Option<Evaluation>,
    test: Option<Evaluation>,
    problem: Option<Diagnostic>,
    /// Losses of the epoch so far, each times its rows; and the rows.
    sum: f64,
    rows: usize,
}

impl Run<'_, '_> {
    fn steps(&mut self, trainer: &mut Trainer, stop: &AtomicBool) -> Result<State, RunError> {
        let order = trainer.order();
        let prefetch = Prefetch::choose(self.data.train.store.row_bytes() * order.batch);
        let mut batches = Batches::new(&self.data.train, order, 0, self.until, prefetch);
        let mut state = State {
            done: 0,
            epoch: 0,
            ending: Ending::Complete,
            train_loss: None,
            valid: None,
            test: None,
            problem: None,
            sum: 0.0,
            rows: 0,
        };
        while let Some(batch) = batches.advance() {
            trainer.step(&batch)?;
            state.done = batch.step + 1;
            state.epoch = batch.rows.epoch + 1;
            let interrupted = stop.load(Ordering::Relaxed);
            let ends_epoch = state.done.is_multiple_of(order.steps_per_epoch());
            let ends = ends_epoch || state.done == self.until;
            if ends || interrupted {
                trainer.finish()?;
            }
            while let Some(loss) = trainer.next_loss() {
                self.take(&mut state, loss)?;
                if state.ending == Ending::NotFinite {
                    return Ok(state);
                }
            }
            if ends || interrupted {
                let mean = Evaluation { loss: state.sum / state.rows as f64, metrics: Vec::new() };
                self.report(&state, Split::Train, &mean)?;
                state.train_loss = Some(mean.loss);
                (state.sum, state.rows) = (0.0, 0);
            }
            if interrupted {
                state.ending = Ending::Interrupted;
                break;
            }
            if ends && !self.data.valid.is_empty() {
                let evaluation = trainer.evaluate(&self.data.valid)?;
                self.report(&state, Split::Valid, &evaluation)?;
                trainer.observe(&evaluation);
                state.valid = Some(evaluation);
            }
        }
        Ok(state)
    }

    /// Notes the loss of a step, which may be older than the last step done.
    fn take(&mut self, state: &mut State, loss: Loss) -> Result<(), RunError> {
        let value = f64::from(loss.value);
        let record = Record {
            step: loss.step,
            epoch: loss.epoch,
            ..self.record(state, Scope::Step, Split::Train, value, &[])
        };
        if !loss.value.is_finite() {
            self.log.append(&record)?;
            state.ending = Ending::NotFinite;
            state.problem = Some(not_finite(self.plan, &loss));
            return Ok(());
        }
        state.sum += value * loss.rows as f64;
        state.rows += loss.rows;
        let every = self.until.div_ceil(STEP_RECORDS).max(1);
        if loss.step.is_multiple_of(every) || loss.step == self.until {
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
        let seconds = self.started.elapsed().as_secs_f64();
        Record { of, step: state.done, epoch: state.epoch, split, loss, metrics, seconds }
    }

    fn report(&mut self, state: &State, split: Split, evaluation: &Evaluation) -> Result<(), RunError> {
        let record = self.record(state, Scope::Epoch, split, evaluation.loss, &evaluation.metrics);
        self.progress.epoch(&record);
        self.log.append(&record)
    }
}

fn not_finite(plan: &TrainPlan, loss: &Loss) -> Diagnostic {
    let message = format!("the loss is {} at step {} (epoch {})", loss.value, loss.step, loss.epoch);
    let lr = plan.optimizer.settings.iter().find(|(name, _)| name == "lr");
    let smaller =
        lr.map_or("a smaller learning rate".to_string(), |(_, lr)| format!("`lr={}`", rounded(lr / 10.0)));
    Diagnostic::error("run::not_finite", message, plan.optimizer.span, "trained by this").help(format!(
        "try {smaller}; if the loss is not finite from the first step, look for inputs that are not scaled, a \
         logarithm of 0 or a division by 0"
    ))
}

/// A tenth of a number in two digits, as people write it: 0.01, not 0.009999999776.
fn rounded(x: f64) -> f64 {
    format!("{x:.1e}").parse().expect("runtime: a number that was printed")
}

/// Instruction set, operating system and architecture: `avx512, linux x86_64`.
pub fn host() -> String {
    format!("{}, {} {}", mlc_kernels::Isa::detect(), std::env::consts::OS, std::env::consts::ARCH)
}
