//! A learning rate that falls when validations stop getting better: `schedule = plateau(patience=5)`.
//!
//! Unlike the other schedules it learns from what a run sees, so it has a state, which checkpoints keep. The rules
//! are those of Keras' `ReduceLROnPlateau`; PyTorch's waits one validation longer and measures `threshold` as a share.

use super::attrs::as_number;
use super::metric::Better;
use super::{Attr, AttrType, AttrValue, Default, Sig};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a spec may say of it.
pub static SIG: Sig = Sig {
    name: "plateau",
    aliases: &["ReduceLROnPlateau", "reduce_on_plateau"],
    doc: "Multiplies the rate by `factor` once `patience` validations in a row were not better than the best so\n\
          far (`keras.callbacks.ReduceLROnPlateau`).",
    example: "plateau(patience=5)",
    inputs: &[],
    attrs: &[
        Attr {
            name: "factor",
            ty: AttrType::Float { min: 0.0, max: 1.0, open: true },
            default: Default::Float(0.1),
            doc: "What the rate is multiplied by.",
        },
        Attr {
            name: "patience",
            ty: AttrType::Int { min: 1, max: i64::MAX },
            default: Default::Int(10),
            doc: "How many validations without a better one are waited for.",
        },
        Attr {
            name: "min_delta",
            ty: AttrType::Float { min: 0.0, max: f64::MAX, open: false },
            default: Default::Float(1e-4),
            doc: "By how much a validation must be better to count.",
        },
        Attr {
            name: "cooldown",
            ty: AttrType::Int { min: 0, max: i64::MAX },
            default: Default::Int(0),
            doc: "How many validations behind a fall are not counted.",
        },
        Attr {
            name: "min_lr",
            ty: AttrType::Float { min: 0.0, max: f64::MAX, open: false },
            default: Default::Float(0.0),
            doc: "The rate that it never falls below.",
        },
        Attr {
            name: "monitor",
            ty: AttrType::Metric,
            default: Default::Word("valid.loss"),
            doc: "The loss or metric of the validation split that is watched.",
        },
    ],
};

/// The rules of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plateau {
    factor: f64,
    patience: u64,
    min_delta: f64,
    cooldown: u64,
    min_lr: f64,
    /// Which values are better.
    better: Better,
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    pub lr: f32,
    best: Option<f64>,
    /// Validations since the best one, and those that still do not count.
    wait: u64,
    cooling: u64,
}

impl Plateau {
    /// The rules of a checked call: a value for each setting of [`SIG`].
    pub fn new(values: &[AttrValue], better: Better) -> Plateau {
        let number = |name: &str| {
            let at =
                SIG.attrs.iter().position(|a| a.name == name).expect("plateau: a setting of its signature");
            as_number(&values[at]).expect("plateau: its settings are numbers")
        };
        Plateau {
            factor: number("factor"),
            patience: number("patience") as u64,
            min_delta: number("min_delta"),
            cooldown: number("cooldown") as u64,
            min_lr: number("min_lr"),
            better,
        }
    }

    pub fn min_lr(&self) -> f64 {
        self.min_lr
    }

    /// Before the first validation.
    pub fn start(&self, lr: f64) -> Reached {
        Reached { lr: lr as f32, best: None, wait: 0, cooling: 0 }
    }

    /// Takes the value of a validation in. What is no number is no better.
    pub fn observe(&self, reached: &mut Reached, value: f64) {
        if reached.cooling > 0 {
            reached.cooling -= 1;
            reached.wait = 0;
        }
        if self.improves(value, reached.best) {
            reached.best = Some(value);
            reached.wait = 0;
        } else if reached.cooling == 0 {
            reached.wait += 1;
            if reached.wait >= self.patience && reached.lr > self.min_lr as f32 {
                reached.lr = (f64::from(reached.lr) * self.factor).max(self.min_lr) as f32;
                reached.cooling = self.cooldown;
                reached.wait = 0;
            }
        }
    }

    fn improves(&self, value: f64, best: Option<f64>) -> bool {
        match (best, self.better) {
            (None, _) => !value.is_nan(),
            (Some(best), Better::Lower) => value + self.min_delta < best,
            (Some(best), Better::Higher) => value - self.min_delta > best,
        }
    }
}

/// With every number: `plateau(factor=0.1, patience=10, min_delta=0.0001, cooldown=0, min_lr=0.0)`.
impl fmt::Display for Plateau {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Plateau { factor, patience, min_delta, cooldown, min_lr, better: _ } = self;
        write!(
            f,
            "plateau(factor={factor:?}, patience={patience}, min_delta={min_delta:?}, cooldown={cooldown}, \
             min_lr={min_lr:?})"
        )
    }
}
