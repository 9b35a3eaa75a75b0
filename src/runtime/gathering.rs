//! Steps of several batches: which rows each takes, and what is known when the last is done.
//!
//! The order of the data hands over all rows of a step at once, so that a step is an update wherever steps are
//! counted: in logs, schedules, checkpoints. Here they are cut into batches.

use super::data::{Batch, Buckets, Dataset, Rows};
use super::memory::{Block, lay_out};
use super::phases::Update;

/// What a step of several batches needs beside the programs of its batches.
pub struct Gathering {
    pub updates: Vec<Update>,
    /// Their places in the engine, once they are lowered.
    pub programs: Vec<usize>,
    pub losses: Losses,
    /// One batch, aligned as programs want it: the rows of a step are not cut at such places.
    _memory: Block,
    columns: Vec<*mut u8>,
    /// By rung and column.
    row_bytes: Vec<Vec<usize>>,
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
    pub fn new(
        updates: Vec<Update>,
        (data, buckets): (&Dataset, Option<&Buckets>),
        size: usize,
        most: usize,
        losses: Losses,
    ) -> Gathering {
        let whole: Vec<usize> = data.train.store.columns.iter().map(|c| c.row_bytes()).collect();
        let (offsets, total) = lay_out(whole.iter().map(|bytes| bytes * size));
        let kept = |buckets: &Buckets| (0..buckets.lengths()).map(|r| buckets.row_bytes(r)).collect();
        let row_bytes = buckets.map_or_else(|| vec![whole], kept);
        let memory = Block::new(total);
        let columns = offsets.iter().map(|offset| memory.at(*offset)).collect();
        Gathering {
            updates,
            programs: Vec::new(),
            losses,
            _memory: memory,
            columns,
            row_bytes,
            size,
            most: most as u64,
        }
    }

    /// The place in the engine of the update behind the turn of a step, where these act.
    ///
    /// # Panics
    /// If the updates are not lowered, or no batch has such a turn.
    pub fn program(&self, step: usize, acts: impl Iterator<Item = bool> + Clone) -> usize {
        let is = |update: &Update| update.step == step && update.acts.iter().copied().eq(acts.clone());
        let at = self.updates.iter().position(is).expect("gathering: every turn has its update");
        self.programs[at]
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
        for ((to, from), row) in self.columns.iter().zip(whole.columns).zip(&self.row_bytes[whole.rung]) {
            // SAFETY: the step's batch has `start + count` rows and more, the block room for `size` rows; they are
            // apart, and nobody else uses the block while `self` is borrowed.
            unsafe { std::ptr::copy_nonoverlapping(from.add(cut.start * row), *to, cut.count * row) };
        }
        let rows = Rows { start: whole.rows.start + cut.start, count: cut.count, ..whole.rows };
        Batch { rows, columns: &self.columns, ..*whole }
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

/// What is known so far of the losses of a step of several batches.
pub struct Losses {
    /// The losses of the batches of a turn so far, each times its rows.
    turn: f64,
    /// Of the turns so far, and by step; not a number for those that take none.
    sum: f32,
    own: Vec<f32>,
}

impl Losses {
    pub fn new(steps: usize) -> Losses {
        Losses { turn: 0.0, sum: 0.0, own: vec![f32::NAN; steps] }
    }

    pub fn batch(&mut self, loss: f32, rows: usize) {
        self.turn += f64::from(loss) * rows as f64;
    }

    /// The turn of a step is over, in which it saw so many rows.
    pub fn turn(&mut self, step: usize, rows: usize) {
        let mean = (std::mem::take(&mut self.turn) / rows as f64) as f32;
        self.own[step] = mean;
        self.sum += mean;
    }

    /// All turns are over: their sum; `own` is given those by step.
    pub fn end(&mut self, own: impl FnOnce(&[f32])) -> f32 {
        own(&self.own);
        self.own.fill(f32::NAN);
        std::mem::take(&mut self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_means_over_rows_and_sums_over_turns() {
        let mut losses = Losses::new(3);
        losses.batch(1.0, 30);
        losses.batch(4.0, 10);
        losses.turn(0, 40);
        losses.batch(0.5, 40);
        losses.turn(2, 40);
        let sum = losses.end(|own| assert!(own[0] == 1.75 && own[1].is_nan() && own[2] == 0.5, "{own:?}"));
        assert_eq!(sum, 2.25);
        assert_eq!(losses.end(|own| assert!(own.iter().all(|loss| loss.is_nan()))), 0.0);
    }

    #[test]
    fn a_step_is_cut_into_batches() {
        assert_eq!(Gathering::sizes(32, &[128, 70]), [32, 6]);
        assert_eq!(Gathering::sizes(32, &[20]), [20]);
        assert_eq!(Gathering::sizes(8, &[]), [0usize; 0]);
    }
}
