//! Rows of like length in a batch: how long each row is, which rows meet, and how far a batch is cut.
//!
//! Lengths are those of the ladder that the spec was checked at, by *rung*: 0 is the longest, where nothing is cut.
//! What meets is a pure function of the rows, the seed and the epoch.

use super::{Dataset, Fitted, Order, Part};
use crate::ops::transform::Side;
use crate::sema::job::{BucketPlan, DataPlan};
use mlc_kernels::rng;
use std::ops::Range;
use std::sync::Arc;

/// The rows of a training by their lengths.
#[derive(Debug)]
pub struct Buckets {
    /// By row of the store; 0 of rows that are not for training.
    rungs: Vec<u8>,
    /// By rung and column, the bytes of a row that a batch takes.
    kept: Vec<Vec<Range<usize>>>,
}

/// A column whose padding may be cut away.
struct Padded {
    column: usize,
    side: Side,
    with: i32,
}

const ID: usize = size_of::<i32>();

impl Buckets {
    /// Of the training rows of a section; none if it says nothing of buckets.
    pub fn of(plan: &DataPlan, data: &Dataset) -> Option<Arc<Buckets>> {
        let bucket = plan.bucket.as_ref()?;
        let padded = padded(bucket, data);
        let columns = &data.train.store.columns;
        let whole: Vec<Range<usize>> = columns.iter().map(|c| 0..c.row_bytes()).collect();
        let mut kept = vec![whole];
        for shorter in &bucket.shorter {
            let mut ranges = kept[0].clone();
            for of in &padded {
                let all = ranges[of.column].end;
                let bytes = shorter.cuts[of.column].expect("data: a padded column has its lengths") * ID;
                ranges[of.column] = match of.side {
                    Side::Right => 0..bytes,
                    Side::Left => all - bytes..all,
                };
            }
            kept.push(ranges);
        }
        let rungs = rungs(&data.train, &padded, &kept);
        Some(Arc::new(Buckets { rungs, kept }))
    }

    /// How many lengths there are.
    pub fn lengths(&self) -> usize {
        self.kept.len()
    }

    /// The bytes of a row of each column that a batch takes at a rung.
    pub fn kept(&self, rung: usize) -> &[Range<usize>] {
        &self.kept[rung]
    }

    /// Bytes of a row of each column at a rung.
    pub fn row_bytes(&self, rung: usize) -> Vec<usize> {
        self.kept[rung].iter().map(Range::len).collect()
    }

    /// The rung at which none of these rows loses anything but padding.
    pub fn rung(&self, rows: &[u32]) -> usize {
        rows.iter().map(|row| usize::from(self.rungs[*row as usize])).min().unwrap_or(0)
    }

    /// Brings rows of like length together. `rows` are an epoch's in the order of its shuffle and become those of its
    /// batches, in the order of its steps. Rows that do not fill the last batch of their rung go with longer ones, so
    /// an epoch has one smaller batch at most: one of any length, the last. `room` is kept from epoch to epoch.
    ///
    /// In file order, without a shuffle, rows stay where they are.
    pub fn arrange(&self, order: &Order, epoch: u64, rows: &mut Vec<u32>, room: &mut Room) {
        let Some(seed) = order.shuffle else { return };
        if order.drop_last {
            rows.truncate(rows.len() / order.batch * order.batch);
        }
        let Room { sorted, batches } = room;
        sorted.clear();
        for rung in (0..self.lengths()).rev() {
            sorted.extend(rows.iter().filter(|row| usize::from(self.rungs[**row as usize]) == rung));
        }
        let rest = rows.len() % order.batch;
        batches.clear();
        batches.extend(0..rows.len().div_ceil(order.batch) as u32);
        rng::shuffle(rng::key(seed, "buckets"), epoch, batches);
        // Whichever comes last is the smaller one: batches behind it start so much earlier.
        let smaller = batches.last().copied().filter(|_| rest > 0);
        rows.clear();
        for batch in batches.iter() {
            let start = *batch as usize * order.batch;
            let (start, count) = match smaller {
                Some(smaller) if *batch == smaller => (start, rest),
                Some(smaller) if *batch > smaller => (start - order.batch + rest, order.batch),
                Some(_) | None => (start, order.batch),
            };
            rows.extend_from_slice(&sorted[start..start + count]);
        }
    }
}

/// What [`Buckets::arrange`] works in.
#[derive(Debug, Default)]
pub struct Room {
    sorted: Vec<u32>,
    batches: Vec<u32>,
}

impl Room {
    /// For so many rows.
    pub fn new(rows: usize) -> Room {
        Room { sorted: Vec::with_capacity(rows), batches: Vec::with_capacity(rows) }
    }
}

fn padded(bucket: &BucketPlan, data: &Dataset) -> Vec<Padded> {
    let of = |(column, fitted): (usize, &super::FittedColumn)| {
        bucket.shorter.first()?.cuts[column]?;
        match fitted.fields.first()?.steps.last()? {
            Fitted::Pad { side, with, .. } => Some(Padded { column, side: *side, with: *with }),
            _other => None,
        }
    };
    data.fitted.iter().enumerate().filter_map(of).collect()
}

/// So many rows are looked at together.
const CHUNK: usize = 256;

/// The last rung at which each row of a part keeps all that is no padding.
fn rungs(part: &Part, padded: &[Padded], kept: &[Vec<Range<usize>>]) -> Vec<u8> {
    let most = part.rows.iter().max().map_or(0, |row| *row as usize + 1);
    let mut rungs = vec![0; most];
    for chunk in part.rows.chunks(CHUNK) {
        let columns = part.store.some(chunk);
        for (i, row) in chunk.iter().enumerate() {
            let used = |of: &Padded| {
                let size = columns[of.column].row_bytes();
                used(&columns[of.column].bytes()[i * size..(i + 1) * size], of)
            };
            let fits =
                |ranges: &&Vec<Range<usize>>| padded.iter().all(|of| used(of) <= ranges[of.column].len());
            // At rung 0 every row fits.
            let last = kept.iter().skip(1).take_while(fits).count();
            rungs[*row as usize] = u8::try_from(last).expect("data: a ladder has few lengths");
        }
    }
    rungs
}

/// Bytes of a row from its start to the last id that does not pad, or from the first to its end.
fn used(row: &[u8], of: &Padded) -> usize {
    let pads = |id: &&[u8]| **id == of.with.to_ne_bytes();
    let padding = match of.side {
        Side::Right => row.chunks_exact(ID).rev().take_while(pads).count(),
        Side::Left => row.chunks_exact(ID).take_while(pads).count(),
    };
    row.len() - padding * ID
}

#[cfg(test)]
mod tests {
    use super::super::{Array, Store, Values};
    use super::*;

    /// Rows padded to four places with 9, on the right and on the left, by how many of them are used.
    fn part(used: &[usize]) -> Part {
        let right = |n: &usize| (0..4).map(|i| if i < *n { 1 } else { 9 }).collect::<Vec<i32>>();
        let left = |n: &usize| (0..4).map(|i| if i < 4 - *n { 9 } else { 1 }).collect::<Vec<i32>>();
        let column =
            |name: &str, ids: Vec<i32>| Array { name: name.into(), row: vec![4], values: Values::I32(ids) };
        let columns = vec![
            column("right", used.iter().flat_map(right).collect()),
            column("left", used.iter().flat_map(left).collect()),
        ];
        Part { store: Arc::new(Store::new(columns)), rows: (0..used.len() as u32).collect() }
    }

    fn padded(column: usize, side: Side) -> Padded {
        Padded { column, side, with: 9 }
    }

    #[test]
    fn a_row_is_as_long_as_the_longest_of_its_columns() {
        let part = part(&[0, 1, 2, 3, 4]);
        let kept = vec![vec![0..16, 0..16], vec![0..8, 8..16], vec![0..4, 12..16]];
        for (column, side) in [(0, Side::Right), (1, Side::Left)] {
            assert_eq!(rungs(&part, &[padded(column, side)], &kept), [2, 2, 1, 0, 0]);
            // On the other side there is no padding to be cut away.
            let other = if side == Side::Left { Side::Right } else { Side::Left };
            assert_eq!(rungs(&part, &[padded(column, other)], &kept), [2, 0, 0, 0, 0]);
        }
        let both = [padded(0, Side::Right), padded(1, Side::Left)];
        let kept = vec![vec![0..16, 0..16], vec![0..8, 4..16], vec![0..4, 8..16]];
        assert_eq!(rungs(&part, &both, &kept), [2, 2, 1, 0, 0]);
    }

    /// Of `rows` rows every third is long, every other third short.
    fn buckets(rows: usize) -> Buckets {
        Buckets { rungs: (0..rows).map(|row| (row % 3) as u8).collect(), kept: vec![Vec::new(); 3] }
    }

    fn epoch(order: &Order, epoch: u64) -> Vec<u32> {
        let rows: Vec<u32> = (0..order.rows as u32).collect();
        let mut out = Vec::new();
        order.arrange(&rows, epoch, &mut out);
        buckets(order.rows).arrange(order, epoch, &mut out, &mut Room::default());
        out
    }

    #[test]
    fn an_epoch_holds_every_row_once_and_mixes_few_lengths() {
        let order = Order { rows: 100, batch: 8, drop_last: false, shuffle: Some(5) };
        let buckets = buckets(order.rows);
        let mut ends = Vec::new();
        for e in 0..30 {
            let rows = epoch(&order, e);
            assert_eq!(epoch(&order, e), rows);
            let batches: Vec<&[u32]> = rows.chunks(8).collect();
            let mixed = |batch: &&&[u32]| batch.iter().any(|row| row % 3 != batch[0] % 3);
            // One from each rung to the next, and no more.
            assert!(batches.iter().filter(mixed).count() <= 2);
            ends.push(buckets.rung(batches[12]));
            let mut sorted = rows.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
        }
        assert_ne!(epoch(&order, 0), epoch(&order, 1));
        // The smaller batch at the end is of any length.
        assert!((0..3).all(|rung| ends.contains(&rung)), "{ends:?}");
    }

    #[test]
    fn what_is_dropped_is_of_any_length() {
        let order = Order { rows: 100, batch: 8, drop_last: true, shuffle: Some(5) };
        let dropped = |e: u64| {
            let rows = epoch(&order, e);
            assert_eq!(rows.len(), 96);
            (0..100u32).filter(|row| !rows.contains(row)).collect::<Vec<u32>>()
        };
        let all: Vec<u32> = (0..30).flat_map(dropped).collect();
        assert!((0..3).all(|rung| all.iter().any(|row| row % 3 == rung)), "{all:?}");
    }

    #[test]
    fn without_a_shuffle_rows_stay_in_order() {
        let order = Order { rows: 20, batch: 8, drop_last: false, shuffle: None };
        assert_eq!(epoch(&order, 3), (0..20).collect::<Vec<u32>>());
        assert_eq!([[1, 4].as_slice(), &[2, 1], &[0, 2]].map(|rows| buckets(20).rung(rows)), [1, 1, 0]);
    }
}
