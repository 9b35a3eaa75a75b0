//! What a run directory takes on disk.

use super::weights::{SlotKind, Weights};
use crate::sema::job::TrainPlan;
use serde::Serialize;

/// Bytes of tensors; what stands around them (names, logs, settings) takes a few KiB more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// One checkpoint at its largest.
    pub checkpoint: usize,
    /// How many lie there when the run has ended, and how they are chosen.
    pub kept: usize,
    pub best_is_kept: bool,
    /// The most at any time: a checkpoint is written before the earliest is removed, and the final weights come to them.
    pub most: usize,
}

impl Disk {
    pub fn of(plan: &TrainPlan, weights: &Weights) -> Disk {
        let numbers = |kind| weights.kind_file_bytes(kind);
        let (model, states) = (numbers(SlotKind::Weight), numbers(SlotKind::State));
        let best = if plan.chooser().is_some() { model } else { 0 };
        let checkpoint = model + states + best;
        let best_is_kept = plan.checkpoint.as_ref().is_some_and(|c| c.best.is_some());
        let kept = plan.checkpoint.as_ref().map_or(1, |c| c.keep) + usize::from(best_is_kept);
        // Without a section there is one, at the end.
        let at_once = if plan.checkpoint.is_some() { kept + 1 } else { kept };
        let most = (at_once * checkpoint).max(kept * checkpoint + model + states);
        Disk { checkpoint, kept, best_is_kept, most }
    }

    /// `the latest 3 and the best are kept`
    pub fn note(&self) -> String {
        match (self.kept, self.best_is_kept) {
            (2, true) => "the latest and the best are kept".to_string(),
            (n, true) => format!("the latest {} and the best are kept", n - 1),
            (1, false) => "the latest is kept".to_string(),
            (n, false) => format!("the latest {n} are kept"),
        }
    }
}
