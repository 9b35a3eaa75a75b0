//! Which rows make which batch: a pure function of seed and step, with [`Buckets`](super::Buckets) also of the rows'
//! lengths.

use mlc_kernels::rng;

/// How the rows of a part follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Rows of the part.
    pub rows: usize,
    pub batch: usize,
    pub drop_last: bool,
    /// The seed to reshuffle each epoch by; none keeps file order.
    pub shuffle: Option<u64>,
}

/// The rows of one step: places `start..start + count` of the order of `epoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// From 0.
    pub epoch: u64,
    pub start: usize,
    pub count: usize,
}

impl Order {
    pub fn steps_per_epoch(&self) -> u64 {
        let steps = if self.drop_last { self.rows / self.batch } else { self.rows.div_ceil(self.batch) };
        steps as u64
    }

    /// The rows of step `step`, counted from 0 over all epochs.
    pub fn rows_of(&self, step: u64) -> Rows {
        let per_epoch = self.steps_per_epoch();
        let start = (step % per_epoch) as usize * self.batch;
        Rows { epoch: step / per_epoch, start, count: self.batch.min(self.rows - start) }
    }

    /// Sizes of the batches that occur: the full one, and the smaller last one if there is one.
    pub fn batch_sizes(&self) -> Vec<usize> {
        let last = self.rows % self.batch;
        let mut sizes = Vec::new();
        if self.rows >= self.batch {
            sizes.push(self.batch);
        }
        if last != 0 && !self.drop_last {
            sizes.push(last);
        }
        sizes
    }

    /// Puts the part's rows in the order of an epoch, drawn afresh from seed and epoch.
    pub fn arrange(&self, rows: &[u32], epoch: u64, order: &mut Vec<u32>) {
        order.clear();
        order.extend_from_slice(rows);
        if let Some(seed) = self.shuffle {
            rng::shuffle(rng::key(seed, "shuffle"), epoch, order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_batch_is_smaller_or_dropped() {
        let order = Order { rows: 10, batch: 4, drop_last: false, shuffle: None };
        assert_eq!(order.steps_per_epoch(), 3);
        assert_eq!(order.rows_of(2), Rows { epoch: 0, start: 8, count: 2 });
        assert_eq!(order.rows_of(4), Rows { epoch: 1, start: 4, count: 4 });
        assert_eq!(order.batch_sizes(), [4, 2]);
        let dropped = Order { drop_last: true, ..order };
        assert_eq!((dropped.steps_per_epoch(), dropped.batch_sizes()), (2, vec![4]));
        assert_eq!(dropped.rows_of(2), Rows { epoch: 1, start: 0, count: 4 });
        let small = Order { rows: 3, ..order };
        assert_eq!((small.steps_per_epoch(), small.batch_sizes()), (1, vec![3]));
    }

    #[test]
    fn each_epoch_is_another_order_of_the_same_rows() {
        let order = Order { rows: 50, batch: 4, drop_last: false, shuffle: Some(1) };
        let rows: Vec<u32> = (100..150).collect();
        let epoch = |e| {
            let mut out = Vec::new();
            order.arrange(&rows, e, &mut out);
            out
        };
        assert_ne!(epoch(0), epoch(1));
        assert_eq!(epoch(1), epoch(1));
        let mut sorted = epoch(1);
        sorted.sort_unstable();
        assert_eq!(sorted, rows);
        let still = Order { shuffle: None, ..order };
        let mut out = Vec::new();
        still.arrange(&rows, 3, &mut out);
        assert_eq!(out, rows);
    }
}
