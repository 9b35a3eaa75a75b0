//! How far a run is, as a checkpoint keeps it.

use crate::ops::stop::Patience;
use crate::runtime::run_dir::Lengths;
use crate::runtime::trainer::Evaluation;
use crate::sema::job::{Monitor, Watched};
use serde::{Deserialize, Serialize};

/// Everything beside weights and optimizer states that the steps to come depend on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps done, and the epoch that the last of them belongs to, from 1.
    pub done: u64,
    pub epoch: u64,
    /// Losses since the last evaluation, each times its rows; and the rows.
    pub sum: f64,
    pub rows: usize,
    /// The same for each of several steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<(f64, usize)>,
    pub train_loss: Option<f64>,
    pub valid: Option<Evaluation>,
    pub patience: Patience,
    /// Early stopping has ended the run.
    pub stopped: bool,
    pub best: Option<Best>,
    /// What the trainer learnt from evaluations.
    pub observed: serde_yaml::Value,
    pub log: Lengths,
    /// Spent on training.
    pub seconds: f64,
}

/// The weights that a run would end with, were it to end now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    pub step: u64,
    pub epoch: u64,
    /// By what they were chosen: `valid.loss`.
    pub by: String,
    pub value: f64,
    pub train_loss: Option<f64>,
    pub valid: Option<Evaluation>,
}

impl State {
    /// What the last evaluation says of a monitor; no number where the rows decide nothing.
    pub fn value(&self, monitor: &Monitor) -> f64 {
        let value = match monitor.of {
            Watched::Train => self.train_loss,
            Watched::Valid => self.valid.as_ref().and_then(|e| e.number(&monitor.metric)),
        };
        value.unwrap_or(f64::NAN)
    }

    /// The weights of now as the best, by a monitor.
    pub fn as_best(&self, monitor: &Monitor) -> Best {
        Best {
            step: self.done,
            epoch: self.epoch,
            by: monitor.to_string(),
            value: self.value(monitor),
            train_loss: self.train_loss,
            valid: self.valid.clone(),
        }
    }

    /// Training loss and validation of the weights that were written: of the best if those were chosen.
    pub fn kept(&self, chosen: bool) -> (Option<f64>, Option<&Evaluation>) {
        match self.best.as_ref().filter(|_| chosen) {
            Some(best) => (best.train_loss, best.valid.as_ref()),
            None => (self.train_loss, self.valid.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::metric::Figure;

    /// A sum of losses that is off by one bit would be another run.
    #[test]
    fn numbers_come_back_to_the_bit() {
        let third = 1.0 / 3.0;
        let figures =
            [Figure::Number(Some(f64::INFINITY)), Figure::Number(None), Figure::Number(Some(third))];
        let metrics = ["f1", "auc", "r2"].iter().map(|n| n.to_string()).zip(figures).collect();
        let evaluation = Evaluation { loss: f64::NAN, metrics };
        let state = State {
            done: u64::MAX,
            sum: third * 1e-300,
            train_loss: Some(0.1 + 0.2),
            valid: Some(Evaluation { loss: 5e-324, ..evaluation.clone() }),
            seconds: f64::from(0.1f32),
            ..State::default()
        };
        let text = serde_yaml::to_string(&state).unwrap();
        assert_eq!(serde_yaml::from_str::<State>(&text).unwrap(), state);
        let text = serde_yaml::to_string(&evaluation).unwrap();
        let back: Evaluation = serde_yaml::from_str(&text).unwrap();
        assert!(back.loss.is_nan() && back.metrics == evaluation.metrics, "{text}");
    }
}
