//! What a training may take, where `memory` says it.

use super::plan::bytes;
use crate::diag::Diagnostic;
use crate::sema::job::MemoryLimit;

/// A limit, and what of it is left for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub limit: MemoryLimit,
    /// Bytes of the limit that weights, states and batches take.
    pub beside: usize,
}

impl Room {
    /// Bytes that programs may take together.
    pub fn bytes(&self) -> usize {
        self.limit.bytes.saturating_sub(self.beside)
    }

    /// Whether programs that take so many bytes fit.
    ///
    /// # Errors
    /// At the limit, if they do not.
    pub fn holds(&self, programs: usize) -> Result<(), Box<Diagnostic>> {
        if programs <= self.bytes() {
            return Ok(());
        }
        let message = format!(
            "`memory` allows {}, and this training takes {} at least: {} for weights, the optimizer and batches, {} for \
             what a step computes",
            bytes(self.limit.bytes),
            bytes(self.beside + programs),
            bytes(self.beside),
            bytes(programs)
        );
        let wrong = Diagnostic::error("run::limit", message, self.limit.span, "too little");
        Err(Box::new(wrong.help(
            "allow more, or make `batch` smaller: with `accumulate` a step still sees as many rows; `mlc plan` shows what \
             takes how much",
        )))
    }
}
