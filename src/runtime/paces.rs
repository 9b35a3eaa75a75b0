//! How fast each step of a training learns: rates by schedule or plateau, and the numbers that a run is given.
//!
//! Rates are functions of the batch's number alone, but for a plateau, which learns from validations.

use super::data::Order;
use super::trainer::{Evaluation, planned_run};
use crate::diag::Diagnostic;
use crate::ops::plateau::Reached;
use crate::ops::schedule::Rates;
use crate::sema::job::{StepPlan, TrainPlan};
use std::sync::Arc;

/// The scalars of a step by name.
pub type Scalars = [(Arc<str>, f32)];

/// The rates of all steps, and room for what is set before each batch.
pub struct Paces {
    of: Vec<Pace>,
    /// `step` and `rows`, then for each step its `lr` and, if it has a name, its own `step`.
    scalars: Vec<(Arc<str>, f32)>,
}

struct Pace {
    every: u64,
    /// The optimizer's.
    lr: f32,
    /// Those of the schedule, if there is one.
    rates: Option<Rates>,
    /// Where a plateau is, if the schedule is one.
    reached: Option<Reached>,
    named: bool,
}

impl Paces {
    /// # Errors
    /// If a schedule's warm-up takes all of the run.
    pub fn new(plan: &TrainPlan, order: &Order) -> Result<Paces, Box<Diagnostic>> {
        let mut paces = Paces { of: Vec::new(), scalars: Vec::new() };
        let mut scalar = |name: String| paces.scalars.push((name.into(), 0.0));
        scalar("step".to_string());
        scalar("rows".to_string());
        for step in &plan.steps {
            let prefix = step.prefix();
            scalar(format!("{prefix}lr"));
            if step.name.is_some() {
                scalar(format!("{prefix}step"));
            }
            paces.of.push(Pace {
                every: step.every,
                lr: step.optimizer.setting("lr") as f32,
                rates: rates(plan, step, order)?,
                reached: step.plateau.as_ref().map(|p| p.rule.start(p.lr)),
                named: step.name.is_some(),
            });
        }
        Ok(paces)
    }

    /// What is set before a batch, counted from 0, with so many rows.
    pub fn at(&mut self, batch: u64, rows: usize) -> &Scalars {
        let mut values = self.scalars.iter_mut().map(|(_, value)| value);
        let mut set = |x: f32| *values.next().expect("paces: every number has a name") = x;
        set((batch + 1) as f32);
        set(rows as f32);
        for pace in &self.of {
            set(pace.lr(batch));
            if pace.named {
                set(((batch + 1) / pace.every) as f32);
            }
        }
        &self.scalars
    }

    /// Tells those who adapt to it how a validation went.
    pub fn observe(&mut self, plan: &TrainPlan, evaluation: &Evaluation) {
        for (pace, step) in self.of.iter_mut().zip(&plan.steps) {
            if let (Some(plateau), Some(reached)) = (&step.plateau, &mut pace.reached) {
                let value = evaluation.number(&plateau.monitor.metric).unwrap_or(f64::NAN);
                plateau.rule.observe(reached, value);
            }
        }
    }

    /// What was learnt so far: of one step where it is, or nothing; of several a list.
    pub fn observed(&self) -> serde_yaml::Value {
        let all: Vec<&Option<Reached>> = self.of.iter().map(|pace| &pace.reached).collect();
        let value = match all.as_slice() {
            [one] => serde_yaml::to_value(one),
            several if several.iter().all(|reached| reached.is_none()) => Ok(serde_yaml::Value::Null),
            several => serde_yaml::to_value(several),
        };
        value.expect("paces: where a schedule is, is plain data")
    }

    /// Goes on from what [`observed`](Self::observed) gave.
    ///
    /// # Errors
    /// If that was of another kind of run, with the reason.
    pub fn remember(&mut self, plan: &TrainPlan, observed: &serde_yaml::Value) -> Result<(), String> {
        let unread = |why| format!("what it kept of its schedule cannot be read: {why}");
        let all: Vec<Option<Reached>> = match (self.of.len(), observed) {
            (1, one) => vec![serde_yaml::from_value(one.clone()).map_err(unread)?],
            (n, serde_yaml::Value::Null) => vec![None; n],
            (_, several) => serde_yaml::from_value(several.clone()).map_err(unread)?,
        };
        if all.len() != self.of.len() {
            return Err(format!(
                "it kept the schedules of {} steps, but here are {}",
                all.len(),
                self.of.len()
            ));
        }
        for ((pace, step), reached) in self.of.iter_mut().zip(&plan.steps).zip(all) {
            match (reached.is_some(), step.plateau.is_some()) {
                (true, false) => {
                    return Err("it kept what a schedule learnt, but no schedule here learns".to_string());
                }
                (false, true) => return Err("its schedule learnt nothing, but the one here does".to_string()),
                (true, true) | (false, false) => pace.reached = reached,
            }
        }
        Ok(())
    }
}

impl Pace {
    /// The learning rate on a batch, counted from 0.
    fn lr(&self, batch: u64) -> f32 {
        match (&self.reached, &self.rates) {
            (Some(reached), _) => reached.lr,
            (None, Some(rates)) => rates.lr(batch),
            (None, None) => self.lr,
        }
    }
}

/// The learning rates of a step over the planned run, if it has a schedule: `--steps` cuts a run short and changes
/// none of them.
///
/// # Errors
/// If the schedule's warm-up takes all of the run.
pub fn rates(plan: &TrainPlan, step: &StepPlan, order: &Order) -> Result<Option<Rates>, Box<Diagnostic>> {
    let rates = step.schedule.as_ref().map(|schedule| schedule.over(planned_run(plan, order)));
    rates.transpose().map_err(Box::new)
}
