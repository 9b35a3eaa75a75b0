//! Early stopping: its settings, and the rule.
//!
//! The rule is that of `keras.callbacks.EarlyStopping`, an evaluation here standing for an epoch there.

use super::metric::Better;
use super::{Attr, AttrType, AttrValue, Default, Sig, attrs};
use serde::{Deserialize, Serialize};

/// What can be written behind `stop =`.
pub static EARLY_STOPPING: Sig = Sig {
    name: "EarlyStopping",
    aliases: &["early_stopping", "EarlyStop"],
    doc: "Ends the training when a value has not become better for a while (`keras.callbacks.EarlyStopping`).",
    example: "EarlyStopping(patience=5, restore_best=true)",
    inputs: &[],
    attrs: &[
        Attr {
            name: "monitor",
            ty: AttrType::Metric,
            default: Default::Word("valid.loss"),
            doc: "What to watch: the loss or a metric of the validation split, or `train.loss`.",
        },
        Attr {
            name: "min_delta",
            ty: AttrType::Float { min: 0.0, max: f64::MAX, open: false },
            default: Default::Float(0.0),
            doc: "By how much more than this a value must be better.",
        },
        Attr {
            name: "patience",
            ty: AttrType::Int { min: 0, max: i64::MAX },
            default: Default::Int(0),
            doc: "How many evaluations in a row may bring nothing better.",
        },
        Attr {
            name: "mode",
            ty: AttrType::Choice(&["auto", "min", "max"]),
            default: Default::Word("auto"),
            doc: "Whether less or more is better; `auto` knows it of every metric.",
        },
        Attr {
            name: "baseline",
            ty: AttrType::Float { min: f64::MIN, max: f64::MAX, open: false },
            default: Default::None,
            doc: "A value that must be beaten within the patience.",
        },
        Attr {
            name: "restore_best",
            ty: AttrType::Bool,
            default: Default::Bool(false),
            doc: "Whether the weights of the best evaluation are kept instead of the last.",
        },
        Attr {
            name: "start_from_epoch",
            ty: AttrType::Int { min: 0, max: i64::MAX },
            default: Default::Int(0),
            doc: "How many evaluations are passed over first.",
        },
    ],
};

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyStopping {
    pub better: Better,
    pub min_delta: f64,
    pub patience: u64,
    pub baseline: Option<f64>,
    pub restore_best: bool,
    pub start_from_epoch: u64,
}

impl EarlyStopping {
    /// Of the checked settings of [`EARLY_STOPPING`]; `auto` is `better`.
    pub fn new(settings: &[AttrValue], better: Better) -> EarlyStopping {
        let setting = |name: &str| {
            let at = EARLY_STOPPING.attrs.iter().position(|a| a.name == name);
            &settings[at.expect("stop: a setting of the signature")]
        };
        let number = |name| attrs::as_number(setting(name)).expect("stop: its settings are numbers");
        EarlyStopping {
            better: match setting("mode") {
                AttrValue::Word(word) if word == "min" => Better::Lower,
                AttrValue::Word(word) if word == "max" => Better::Higher,
                _ => better,
            },
            min_delta: number("min_delta"),
            patience: number("patience") as u64,
            baseline: attrs::as_number(setting("baseline")),
            restore_best: *setting("restore_best") == AttrValue::Bool(true),
            start_from_epoch: number("start_from_epoch") as u64,
        }
    }

    /// Keras' `_is_improvement`: what is no number is never one, and never beaten.
    fn improves(&self, value: f64, on: f64) -> bool {
        match self.better {
            Better::Lower => value + self.min_delta < on,
            Better::Higher => value - self.min_delta > on,
        }
    }
}

/// What was seen so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Patience {
    /// Evaluations seen.
    seen: u64,
    /// How many of the last brought nothing better.
    wait: u64,
    best: Option<f64>,
}

/// What an evaluation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// It is the best so far.
    pub best: bool,
    pub stop: bool,
}

impl Patience {
    /// Takes the value of the next evaluation.
    pub fn see(&mut self, rule: &EarlyStopping, value: f64) -> Verdict {
        let epoch = self.seen;
        self.seen += 1;
        if epoch < rule.start_from_epoch {
            return Verdict { best: false, stop: false };
        }
        self.wait += 1;
        if self.best.is_none_or(|best| rule.improves(value, best)) {
            self.best = Some(value);
            // Only what beats the baseline too earns new patience.
            if rule.baseline.is_none_or(|baseline| rule.improves(value, baseline)) {
                self.wait = 0;
            }
            return Verdict { best: true, stop: false };
        }
        // As Keras has it, the very first evaluation never stops.
        Verdict { best: false, stop: self.wait >= rule.patience && epoch > 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: EarlyStopping = EarlyStopping {
        better: Better::Lower,
        min_delta: 0.0,
        patience: 2,
        baseline: None,
        restore_best: true,
        start_from_epoch: 0,
    };

    /// The evaluation that stops and the best one, from 0.
    fn run(rule: &EarlyStopping, values: &[f64]) -> (Option<usize>, Option<usize>) {
        let (mut patience, mut best) = (Patience::default(), None);
        for (i, value) in values.iter().enumerate() {
            let verdict = patience.see(rule, *value);
            if verdict.best {
                best = Some(i);
            }
            if verdict.stop {
                return (Some(i), best);
            }
        }
        (None, best)
    }

    #[test]
    fn it_waits_for_something_better() {
        assert_eq!(run(&RULE, &[3.0, 2.0, 2.5, 1.0, 1.0, 1.5]), (Some(5), Some(3)));
        assert_eq!(run(&RULE, &[3.0, 2.0, 1.0]), (None, Some(2)));
        let higher = EarlyStopping { better: Better::Higher, ..RULE };
        assert_eq!(run(&higher, &[3.0, 2.0, 2.5, 1.0]), (Some(2), Some(0)));
        let coarse = EarlyStopping { min_delta: 1.0, ..RULE };
        assert_eq!(run(&coarse, &[3.0, 2.5, 2.0, 1.0]), (Some(2), Some(0)));
        let late = EarlyStopping { start_from_epoch: 2, ..RULE };
        assert_eq!(run(&late, &[0.0, 0.0, 2.0, 3.0, 3.0]), (Some(4), Some(2)));
        let beaten = EarlyStopping { baseline: Some(0.5), ..RULE };
        assert_eq!(run(&beaten, &[4.0, 3.0, 2.0, 2.0]), (Some(3), Some(2)));
    }
}
