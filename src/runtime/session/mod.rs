//! A training run from first weights to the last file.
//!
//! Steps allocate nothing; between them stand evaluations, logging, checkpoints and the check for Ctrl-C. What
//! happens depends on spec, data and seed alone: clocks are only reported, and a run that was stopped and
//! resumed any number of times ends at the same bits.

mod about;
mod resume;
mod state;
mod steps;

pub use resume::Resumption;
pub use state::{Best, State};

use crate::diag::Diagnostic;
use crate::ops::Library;
use crate::ops::metric::Figure;
use crate::runtime::checkpoint;
use crate::runtime::data::{Dataset, Order};
use crate::runtime::engine::{DeviceKind, On};
use crate::runtime::error::RunError;
use crate::runtime::pretrained::WeightFile;
use crate::runtime::progress::{Begin, End, Ending, Progress};
use crate::runtime::run_dir::{Asked, RunDir, RunInfo, Split};
use crate::runtime::trainer::{Evaluation, Trainer, planned_run};
use crate::runtime::weights::{SlotKind, misfit};
use crate::sema::job::{DataPlan, Job, TrainPlan};
use about::About;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use steps::Run;

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
    /// The files that models start from, under those of `init` and of sections before.
    pub pretrained: Vec<WeightFile>,
    /// Weights of the sections that were run before, in order, over those of `init`: of each file what this section
    /// has too.
    pub earlier: Vec<(String, Vec<u8>)>,
    /// A run to go on with, instead of a new one.
    pub resume: Option<Resumption>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub folder: PathBuf,
    pub ending: Ending,
    pub steps: u64,
    pub seconds: f64,
    pub weights_hash: String,
    /// Of the weights that were written: the average of the training loss up to them, the validation, the test.
    pub train_loss: Option<f64>,
    pub valid: Option<Evaluation>,
    pub test: Option<Evaluation>,
    /// Why the run stopped, if the loss was not finite.
    pub problem: Option<Diagnostic>,
}

/// Threads when nobody says.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs one train section of a job, or goes on with it. `stop` ends it after the step at hand, with a checkpoint.
///
/// # Errors
/// Before there is a folder, if the job cannot start or a run not be resumed; later, if a device or disk fails: then
/// the folder says so, and the run can be resumed from its latest checkpoint.
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
    let order = trainer.order();
    has_batches(&order, data_plan)?;
    let until = options.asked.steps.unwrap_or(planned_run(plan, &order).steps);
    let best = first_weights(&mut trainer, (job, plan, data), options, until)?;
    let mut state = options.resume.as_ref().map_or_else(State::default, |r| r.state.clone());
    let from = state.done;
    state.parts.resize(plan.step_names().count(), (0.0, 0));
    if until > from {
        // The first program before the first batch: the gatherer's thread works meanwhile.
        trainer.prepare(order.rows_of(from).count)?;
    }
    let about = About { job, plan, data, options, threads, device: &device };
    let dir = folder(job, options)?;
    let log = dir.metrics(state.log)?;
    // From here on nobody else writes there.
    checkpoint::sweep(dir.path())?;
    dir.write_info(&about.running(&state))?;
    progress.begin(&Begin {
        spec: &job.name,
        parameters: trainer.weights().parameters(),
        rows: order.rows,
        from,
        steps: until,
        steps_per_epoch: order.steps_per_epoch(),
        device: &device,
        ready_seconds: began.elapsed().as_secs_f64(),
        folder: dir.path(),
    });
    let mut run = Run {
        plan,
        data,
        dir: &dir,
        log,
        progress,
        started: Instant::now(),
        before: state.seconds,
        until,
        pause: pause(plan, &order),
        best,
        saved: (from > 0).then_some(from),
        parts: plan.step_names().map(|name| (format!("{name}.loss"), Figure::Number(None))).collect(),
    };
    let ended = run.whole(&mut trainer, &mut state, stop);
    let ended = ended.map_err(|wrong| failed(wrong, &dir, &about, &state))?;
    let seconds = run.seconds();
    let outcome = Outcome::of(&dir, &state, &ended, seconds, trainer.weights().hash());
    dir.write_info(&about.finished(&state, &ended, seconds, outcome.weights_hash.clone()))?;
    let best = state.best.as_ref().filter(|_| ended.chosen);
    let Outcome { ending, steps, ref weights_hash, .. } = outcome;
    progress.end(&End { ending, steps, seconds, weights_hash, best, folder: dir.path() });
    Ok(outcome)
}

impl Outcome {
    fn of(dir: &RunDir, state: &State, ended: &Ended, seconds: f64, weights_hash: String) -> Outcome {
        let (train_loss, valid) = state.kept(ended.chosen);
        Outcome {
            folder: dir.path().to_path_buf(),
            ending: ended.ending,
            steps: state.done,
            seconds,
            weights_hash,
            train_loss,
            valid: valid.cloned(),
            test: ended.test.clone(),
            problem: ended.problem.clone(),
        }
    }
}

/// Whether there is anything to train on.
fn has_batches(order: &Order, data: &DataPlan) -> Result<(), RunError> {
    if order.steps_per_epoch() > 0 {
        return Ok(());
    }
    let message = format!("an epoch has no batch: {} rows, batches of {}", order.rows, order.batch);
    let diagnostic = Diagnostic::error("run::no_batch", message, data.span, "this data section");
    Err(diagnostic.help("make `batch` smaller, or leave `drop_last` out").into())
}

/// The folder of the run that goes on, or a new one with its spec.
fn folder(job: &Job, options: &Options) -> Result<RunDir, RunError> {
    if let Some(run) = &options.resume {
        return Ok(RunDir::at(&run.folder));
    }
    let dir = RunDir::create(options.out.as_deref(), &job.name)?;
    dir.write_spec(&options.spec)?;
    Ok(dir)
}

/// What `run.yaml` says of a run before it begins.
pub fn info_before(job: &Job, plan: &TrainPlan, data: &Dataset, options: &Options) -> RunInfo {
    let threads = if options.threads == 0 { default_threads() } else { options.threads };
    let device = match options.asked.device {
        DeviceKind::Cpu => "cpu",
        DeviceKind::Gpu => "gpu",
    };
    About { job, plan, data, options, threads, device }.running(&State::default())
}

/// Sets the weights of the first step: those of a checkpoint or of files, the later over the earlier; else they stay as
/// they were drawn. Gives the best weights of a run that goes on.
fn first_weights(
    trainer: &mut Trainer,
    (job, plan, data): (&Job, &TrainPlan, &Dataset),
    options: &Options,
    until: u64,
) -> Result<Option<Vec<u8>>, RunError> {
    if !options.pretrained.is_empty() {
        let files = &options.pretrained;
        trainer.set_weights(|weights| weights.take_pretrained(job, files, data.bindings()))??;
    }
    if let Some((name, bytes)) = &options.init {
        let read = trainer.set_weights(|weights| weights.read_safetensors(SlotKind::Weight, bytes))?;
        read.map_err(|wrong| misfit(name, &wrong, plan.span))?;
    }
    for (name, bytes) in &options.earlier {
        // Weights of classes are of the rows at hand.
        let own: Vec<&str> = plan.balanced.iter().map(|balance| &*balance.state).collect();
        let read = trainer.set_weights(|weights| weights.read_shared(bytes, &own))?;
        read.map_err(|wrong| misfit(name, &wrong, plan.span))?;
    }
    match &options.resume {
        None => Ok(None),
        Some(run) => {
            run.goes_on(until)?;
            run.restore(trainer, plan)
        }
    }
}

/// Steps between two evaluations.
fn pause(plan: &TrainPlan, order: &Order) -> u64 {
    plan.checkpoint.as_ref().and_then(|c| c.every).unwrap_or(order.steps_per_epoch())
}

/// How a run ended, and what came of it.
struct Ended {
    ending: Ending,
    /// The weights that were written are the best, not the last.
    chosen: bool,
    test: Option<Evaluation>,
    problem: Option<Diagnostic>,
}

impl Run<'_, '_> {
    /// Steps to the end, then chooses the weights, tests and writes them.
    fn whole(
        &mut self,
        trainer: &mut Trainer,
        state: &mut State,
        stop: &AtomicBool,
    ) -> Result<Ended, RunError> {
        let (ending, problem) = self.steps(trainer, state, stop)?;
        let mut ended = Ended { ending, chosen: false, test: None, problem };
        let done = state.done > 0 && matches!(ending, Ending::Complete | Ending::Early);
        // An end between two evaluations wants one of its own. The checkpoint is from before it: a longer run has none
        // here.
        if done && !self.pauses_at(state.done) {
            self.evaluate(trainer, state)?;
        }
        trainer.sync()?;
        let optimizer = trainer.weights().to_safetensors(SlotKind::State, state.done);
        if let Some(best) = self.best.as_ref().filter(|_| done) {
            let read = trainer.set_weights(|weights| weights.read_safetensors(SlotKind::Weight, best))?;
            read.expect("runtime: the best weights are this model's");
            ended.chosen = true;
        }
        if done && !self.data.test.is_empty() {
            let evaluation = trainer.evaluate(&self.data.test)?;
            self.report(state, Split::Test, &evaluation)?;
            ended.test = Some(evaluation);
        }
        let step = state.best.as_ref().filter(|_| ended.chosen).map_or(state.done, |best| best.step);
        let model = trainer.weights().to_safetensors(SlotKind::Weight, step);
        self.dir.write(checkpoint::MODEL, &model)?;
        self.dir.write(checkpoint::OPTIMIZER, &optimizer)?;
        Ok(ended)
    }
}

/// Notes that a run did not end as it should, and says how to go on.
fn failed(wrong: RunError, dir: &RunDir, about: &About, state: &State) -> RunError {
    // The disk may be what failed: then there is nothing more to be done.
    let _ = dir.write_info(&about.failed(state));
    let folder = dir.path().display();
    let latest = checkpoint::all(dir.path()).ok().and_then(|mut all| all.pop());
    let from = latest.map_or("the start".to_string(), |c| format!("step {}", c.step));
    let way_on = format!("`mlc train --resume {folder}` goes on from {from}");
    match wrong {
        RunError::Io(why) => RunError::Io(format!("{why}; {way_on}")),
        RunError::Diagnostics(mut all) => {
            if let Some(last) = all.last_mut() {
                let help = last.help.take().map_or(String::new(), |help| format!("{help}; "));
                last.help = Some(format!("{help}{way_on}"));
            }
            RunError::Diagnostics(all)
        }
    }
}

/// Instruction set, operating system and architecture: `avx512, linux x86_64`.
pub fn host() -> String {
    format!("{}, {} {}", mlc_kernels::Isa::current(), std::env::consts::OS, std::env::consts::ARCH)
}
