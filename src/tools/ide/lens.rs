//! A line above each model and each training: parameters, steps, memory.

use super::{Analysis, describe};
use crate::base::{Span, Sym};
use crate::runtime::data::train_rows;
use crate::runtime::plan;
use crate::sema::Job;
use crate::sema::job::{Length, TrainPlan};
use crate::syntax::ast::{ItemKind, Section};

/// What is shown above a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lens {
    /// The section's first word.
    pub span: Span,
    pub title: String,
    /// Whether [`memory`] may have more to say.
    pub trains: bool,
}

/// The lenses of a spec, in order of place. Cheap: memory is for [`memory`].
pub fn lenses(analysis: &Analysis) -> Vec<Lens> {
    let sections = analysis.ast.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Section(section) => Some(section),
        _other => None,
    });
    sections.filter_map(|section| lens(analysis, section)).collect()
}

fn lens(analysis: &Analysis, section: &Section) -> Option<Lens> {
    let span = section.word.span;
    match &*section.word.name {
        "model" => {
            let weights = analysis.facts.models.get(&section.name.as_ref()?.span)?;
            let parameters = match describe::parameters(weights) {
                Some(n) => {
                    format!("{} parameters ({})", describe::grouped(n), describe::bytes(n.saturating_mul(4)))
                }
                None => "parameters depend on the data".to_string(),
            };
            Some(Lens { span, title: parameters, trains: false })
        }
        "train" => {
            let plan = analysis.job.as_ref()?.trains.iter().find(|t| t.span == span)?;
            Some(Lens { span, title: length(analysis, plan), trains: true })
        }
        _other => None,
    }
}

/// How long a training takes, in steps where the rows are known.
fn length(analysis: &Analysis, plan: &TrainPlan) -> String {
    match plan.length {
        Length::Steps(n) => format!("{} steps", describe::grouped(n as u64)),
        Length::Epochs(n) => {
            let epochs = if n == 1 { "1 epoch".to_string() } else { format!("{n} epochs") };
            match steps_per_epoch(analysis, plan) {
                Some(steps) => {
                    let all = describe::grouped(steps.saturating_mul(n) as u64);
                    format!("{epochs} of {} steps: {all} in all", describe::grouped(steps as u64))
                }
                None => epochs,
            }
        }
    }
}

fn steps_per_epoch(analysis: &Analysis, plan: &TrainPlan) -> Option<usize> {
    let data = analysis.job.as_ref()?.data.get(plan.data)?;
    let rows = analysis.facts.data(&data.name)?.rows?;
    let train = train_rows(&data.split, rows)?;
    let step = data.batch.saturating_mul(plan.accumulate);
    Some(if data.drop_last { train / step } else { train.div_ceil(step) })
}

/// The memory that each training takes at its peak, on one thread of the processor, data set aside. Compiles
/// the programs of a step, which takes a while; only for a job whose sizes are all known.
pub fn memory(analysis: &Analysis) -> Vec<(Span, String)> {
    let Some(job) = &analysis.job else { return Vec::new() };
    let known = job.trains.iter().filter(|train| sizes_are_known(job, train));
    let of = |train: &TrainPlan| {
        let memory = plan::report(&analysis.library, job, train, None, 1).memory;
        let text = format!(
            "{} at the peak: weights {}, optimizer {}, activations {}",
            describe::bytes(memory.total as u64),
            describe::bytes(memory.weights as u64),
            describe::bytes(memory.optimizer as u64),
            describe::bytes(memory.activations as u64)
        );
        (train.span, text)
    };
    known.map(of).collect()
}

/// Whether nothing but the batch is open.
fn sizes_are_known(job: &Job, train: &TrainPlan) -> bool {
    let batch = Sym::from("B");
    let columns = job.data[train.data].columns.iter().flat_map(|c| c.ty.shape.iter());
    train.graphs().all(|g| g.syms().iter().all(|s| *s == batch))
        && columns.into_iter().all(|d| d.as_const().is_some())
}
