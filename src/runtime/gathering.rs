//! Steps of several batches: which rows each takes, and what is known when the last is done.
//!
//! The order of the data hands over all rows of a step at once, so that a step is an update wherever steps are
//! counted: in logs, schedules, checkpoints. Here they are cut into batches.

use super::data::{Batch, Dataset, Rows};
use super::memory::{Block, lay_out};
use crate::graph::Graph;

/// What a step of several batches needs beside the programs of its batches.
pub struct Gathering {
    /// The update, rewritten, and its place in the engine once it is lowered.
    pub graph: Graph,
    pub program: Option<usize>,
    /// One batch, aligned as programs want it: the rows of a step are not cut at such places.
    _memory: Block,
    columns: Vec<*mut u8>,
    row_bytes: Vec<usize>,
    /// Rows of a batch, and how many batches a step has at most.
    size: usize,
    most: u64,
}

/// Some rows of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pub start: usize,
    pub count: usize,
    pub last: bool,
    /// What random numbers of this batch are drawn by: no other batch of the run has it.
    pub draw: u64,
}

impl Gathering {
    /// Steps of up to `most` batches of `size` rows.
    pub fn new(graph: Graph, data: &Dataset, size: usize, most: usize) -> Gathering {
        let row_bytes: Vec<usize> = data.train.store.columns.iter().map(|c| c.row_bytes()).collect();
        let (offsets, total) = lay_out(row_bytes.iter().map(|bytes| bytes * size));
        let memory = Block::new(total);
        let columns = offsets.iter().map(|offset| memory.at(*offset)).collect();
        Gathering { graph, program: None, _memory: memory, columns, row_bytes, size, most: most as u64 }
    }

    /// The batches of a step, counted from 0, with so many rows.
    pub fn cuts(&self, step: u64, rows: usize) -> impl Iterator<Item = Cut> + use<> {
        let (size, first) = (self.size, step * self.most);
        (0..rows.div_ceil(size)).map(move |i| {
            let start = i * size;
            let count = size.min(rows - start);
            Cut { start, count, last: start + count == rows, draw: first + i as u64 + 1 }
        })
    }

    /// The rows of a cut, copied to where programs can read them.
    pub fn take(&mut self, whole: &Batch, cut: Cut) -> Batch<'_> {
        for ((to, from), row) in self.columns.iter().zip(whole.columns).zip(&self.row_bytes) {
            // SAFETY: the step's batch has `start + count` rows and more, the block room for `size` rows; they are
            // apart, and nobody else uses the block while `self` is borrowed.
            unsafe { std::ptr::copy_nonoverlapping(from.add(cut.start * row), *to, cut.count * row) };
        }
        let rows = Rows { start: whole.rows.start + cut.start, count: cut.count, ..whole.rows };
        Batch { step: whole.step, rows, columns: &self.columns }
    }

    /// The sizes of batches that steps with so many rows are cut into.
    pub fn sizes(size: usize, steps: &[usize]) -> Vec<usize> {
        let mut sizes = Vec::new();
        for rows in steps {
            let whole = (*rows >= size).then_some(size);
            let rest = Some(rows % size).filter(|n| *n > 0);
            for n in whole.into_iter().chain(rest) {
                if !sizes.contains(&n) {
                    sizes.push(n);
                }
            }
        }
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_cut_into_batches() {
        assert_eq!(Gathering::sizes(32, &[128, 70]), [32, 6]);
        assert_eq!(Gathering::sizes(32, &[20]), [20]);
        assert_eq!(Gathering::sizes(8, &[]), [0usize; 0]);
    }
}
