//! What `run.yaml` tells of a run.

use super::{State, host};
use crate::ops::metric::Figure;
use crate::runtime::data::Dataset;
use crate::runtime::engine::DeviceKind;
use crate::runtime::progress::Ending;
use crate::runtime::run_dir::{Asked, Finished, RunInfo};
use crate::sema::job::{Job, ParamValue, TrainPlan};
use std::collections::BTreeMap;

/// What is run, and where.
pub(super) struct About<'a> {
    pub job: &'a Job,
    pub plan: &'a TrainPlan,
    pub data: &'a Dataset,
    pub asked: &'a Asked,
    pub threads: usize,
    pub device: &'a str,
}

impl About<'_> {
    /// Of a run that nothing has come of yet.
    pub fn running(&self) -> RunInfo {
        let Self { job, plan, data, .. } = self;
        let rows = [("train", &data.train), ("valid", &data.valid), ("test", &data.test)];
        RunInfo {
            format: RunInfo::format(),
            mlc: env!("CARGO_PKG_VERSION").to_string(),
            spec: job.name.clone(),
            asked: self.asked.clone(),
            params: job.params.iter().map(|(name, v)| (name.clone(), yaml(v))).collect(),
            sizes: data.bindings().iter().map(|(sym, n)| (sym.to_string(), *n)).collect(),
            optimizer: plan.optimizer.name.clone(),
            optimizer_settings: plan.optimizer.settings.iter().cloned().collect(),
            schedule: plan.schedule.as_ref().map(ToString::to_string),
            clip: plan.clip.as_ref().map(ToString::to_string),
            batch: job.data[plan.data].batch,
            seed: plan.seed,
            threads: self.threads,
            host: match self.asked.device {
                DeviceKind::Cpu => host(),
                DeviceKind::Gpu => format!("{}, {}", self.device, host()),
            },
            data: data.files.clone(),
            fitted: data.fitted.clone(),
            rows: rows.map(|(name, part)| (name.to_string(), part.len())).into(),
            steps: 0,
            epochs: 0,
            finished: Finished::Running,
            seconds: 0.0,
            weights_hash: String::new(),
            results: BTreeMap::new(),
            folds: None,
        }
    }

    /// Of a run that has ended.
    pub fn finished(&self, state: &State, seconds: f64, weights_hash: String) -> RunInfo {
        RunInfo {
            steps: state.done,
            epochs: state.epoch,
            finished: match state.ending {
                Ending::Complete => Finished::Complete,
                Ending::Interrupted => Finished::Interrupted,
                Ending::NotFinite => Finished::NotFinite,
            },
            seconds,
            weights_hash,
            results: results(state),
            ..self.running()
        }
    }
}

fn yaml(value: &ParamValue) -> serde_yaml::Value {
    match value {
        ParamValue::Int(n) => serde_yaml::Value::from(*n),
        ParamValue::Float(x) => serde_yaml::Value::from(*x),
        ParamValue::Bool(b) => serde_yaml::Value::from(*b),
        ParamValue::Str(s) => serde_yaml::Value::from(s.as_str()),
    }
}

/// The last loss and metrics on each split.
fn results(state: &State) -> BTreeMap<String, BTreeMap<String, Figure>> {
    let number = |name: &str, x: f64| (name.to_string(), Figure::Number(Some(x)));
    let mut results = BTreeMap::new();
    if let Some(loss) = state.train_loss {
        results.insert("train".to_string(), BTreeMap::from([number("loss", loss)]));
    }
    for (name, evaluation) in [("valid", &state.valid), ("test", &state.test)] {
        if let Some(e) = evaluation {
            let flat = e.metrics.iter().flat_map(|(name, figure)| figure.flat(name));
            results.insert(name.to_string(), std::iter::once(number("loss", e.loss)).chain(flat).collect());
        }
    }
    results
}
