//! What `run.yaml` tells of a run.

use super::{Ended, Options, State, host};
use crate::ops::metric::Figure;
use crate::runtime::data::Dataset;
use crate::runtime::engine::DeviceKind;
use crate::runtime::progress::Ending;
use crate::runtime::run_dir::{Finished, RunInfo, WeightsOf};
use crate::sema::job::{Job, ParamValue, StepPlan, TrainPlan};
use std::collections::BTreeMap;

/// What is run, and where.
pub(super) struct About<'a> {
    pub job: &'a Job,
    pub plan: &'a TrainPlan,
    pub data: &'a Dataset,
    pub options: &'a Options,
    pub threads: usize,
    pub device: &'a str,
}

impl About<'_> {
    /// Of a run that begins, or goes on.
    pub fn running(&self, state: &State) -> RunInfo {
        let resumed = self.options.resume.as_ref();
        let resumed = resumed.map_or_else(Vec::new, |r| [r.earlier.as_slice(), &[state.done]].concat());
        RunInfo { resumed, steps: state.done, epochs: state.epoch, seconds: state.seconds, ..self.plain() }
    }

    fn plain(&self) -> RunInfo {
        let Self { job, plan, data, .. } = self;
        let rows = [("train", &data.train), ("valid", &data.valid), ("test", &data.test)];
        RunInfo {
            format: RunInfo::format(),
            mlc: env!("CARGO_PKG_VERSION").to_string(),
            spec: job.name.clone(),
            asked: self.options.asked.clone(),
            params: job.params.iter().map(|(name, v)| (name.clone(), yaml(v))).collect(),
            sizes: data.bindings().iter().map(|(sym, n)| (sym.to_string(), *n)).collect(),
            optimizer: of_steps(plan, |step| Some(step.optimizer.name.clone())).unwrap_or_default(),
            optimizer_settings: settings(plan),
            schedule: of_steps(plan, StepPlan::schedule_text),
            clip: of_steps(plan, |step| step.clip.as_ref().map(ToString::to_string)),
            batch: job.data[plan.data].batch,
            seed: plan.seed,
            threads: self.threads,
            host: match self.options.asked.device {
                DeviceKind::Cpu => host(),
                DeviceKind::Gpu => format!("{}, {}", self.device, host()),
            },
            data: data.files.clone(),
            fitted: data.fitted.clone(),
            rows: rows.map(|(name, part)| (name.to_string(), part.len())).into(),
            steps: 0,
            epochs: 0,
            resumed: Vec::new(),
            finished: Finished::Running,
            seconds: 0.0,
            weights_hash: String::new(),
            weights_of: None,
            results: BTreeMap::new(),
            folds: None,
            sections: None,
        }
    }

    /// Of a run that has ended.
    pub fn finished(&self, state: &State, ended: &Ended, seconds: f64, weights_hash: String) -> RunInfo {
        let best = state.best.as_ref().filter(|_| ended.chosen);
        let weights_of = match best {
            Some(best) => WeightsOf {
                step: best.step,
                epoch: best.epoch,
                best: Some(best.by.clone()),
                value: Some(best.value),
            },
            None => WeightsOf { step: state.done, epoch: state.epoch, best: None, value: None },
        };
        RunInfo {
            steps: state.done,
            epochs: state.epoch,
            finished: match ended.ending {
                Ending::Complete => Finished::Complete,
                Ending::Early => Finished::Early,
                Ending::Interrupted => Finished::Interrupted,
                Ending::NotFinite => Finished::NotFinite,
            },
            seconds,
            weights_hash,
            weights_of: Some(weights_of),
            results: results(state, ended),
            ..self.begun()
        }
    }

    /// Of a run that could not go on.
    pub fn failed(&self, state: &State) -> RunInfo {
        RunInfo { finished: Finished::Failed, steps: state.done, epochs: state.epoch, ..self.begun() }
    }

    /// As it was when it began.
    fn begun(&self) -> RunInfo {
        let state = self.options.resume.as_ref().map_or_else(State::default, |r| r.state.clone());
        self.running(&state)
    }
}

/// What the steps say of something, those with names under them: `critic: Adam, generator: Adam`.
fn of_steps(plan: &TrainPlan, say: impl Fn(&StepPlan) -> Option<String>) -> Option<String> {
    let said = plan.steps.iter().filter_map(|step| {
        let text = say(step)?;
        Some(step.name.as_ref().map_or(text.clone(), |name| format!("{name}: {text}")))
    });
    let all: Vec<String> = said.collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// The numbers of all optimizers, those of named steps as `critic.lr`.
fn settings(plan: &TrainPlan) -> BTreeMap<String, f64> {
    let of = |step: &StepPlan| {
        let prefix = step.prefix();
        step.optimizer.settings.clone().into_iter().map(move |(name, x)| (format!("{prefix}{name}"), x))
    };
    plan.steps.iter().flat_map(of).collect()
}

fn yaml(value: &ParamValue) -> serde_yaml::Value {
    match value {
        ParamValue::Int(n) => serde_yaml::Value::from(*n),
        ParamValue::Float(x) => serde_yaml::Value::from(*x),
        ParamValue::Bool(b) => serde_yaml::Value::from(*b),
        ParamValue::Str(s) => serde_yaml::Value::from(s.as_str()),
    }
}

/// Loss and metrics on each split, of the weights that were written.
fn results(state: &State, ended: &Ended) -> BTreeMap<String, BTreeMap<String, Figure>> {
    let number = |name: &str, x: f64| (name.to_string(), Figure::Number(Some(x)));
    let (train_loss, valid) = state.kept(ended.chosen);
    let mut results = BTreeMap::new();
    if let Some(loss) = train_loss {
        results.insert("train".to_string(), BTreeMap::from([number("loss", loss)]));
    }
    for (name, evaluation) in [("valid", valid), ("test", ended.test.as_ref())] {
        if let Some(e) = evaluation {
            let flat = e.metrics.iter().flat_map(|(name, figure)| figure.flat(name));
            results.insert(name.to_string(), std::iter::once(number("loss", e.loss)).chain(flat).collect());
        }
    }
    results
}
