//! Batches in memory, in the order of the steps, gathered ahead by a thread of their own.
//!
//! The thread fills a ring of slots; the trainer takes them in order, so what it sees does not depend
//! on who was faster. Nothing is allocated after [`Batches::new`]. Both sides wait by a short spin and
//! then sleep; the gatherer is woken only when half of the ring is free, so that most steps wake nobody.
//! Small batches are gathered by the trainer itself: that is cheaper than handing them over.

use super::bucket::Room;
use super::{Augmenter, Buckets, Order, Part, Rows};
use crate::runtime::memory::{Block, lay_out};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Who gathers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefetch {
    /// The trainer, when it asks for the next batch.
    Inline,
    /// A thread of its own, ahead of time.
    Thread,
}

/// Batches below this many bytes are gathered inline: copying them takes a few microseconds, as
/// long as waking a thread.
const WORTH_A_THREAD: usize = 256 << 10;

impl Prefetch {
    /// What suits batches of so many bytes.
    pub fn choose(batch_bytes: usize) -> Prefetch {
        if batch_bytes < WORTH_A_THREAD { Prefetch::Inline } else { Prefetch::Thread }
    }

    /// How many batches lie in memory at once.
    pub fn slots(self) -> usize {
        match self {
            Prefetch::Inline => 1,
            Prefetch::Thread => SLOTS as usize,
        }
    }
}

/// A batch in memory: valid until the next one is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// From 0, over all epochs.
    pub step: u64,
    pub rows: Rows,
    /// How much shorter than they could be its rows are: a rung of [`Buckets`], 0 without any.
    pub rung: usize,
    /// The address of each column, in the store's order, aligned to 128 bytes.
    pub columns: &'a [*mut u8],
}

/// Slots of the ring.
const SLOTS: u64 = 4;

/// Pauses before a waiting thread sleeps: some 20 us.
const SPINS: u32 = 1000;

/// The batches of steps `from..`, one after the other.
pub struct Batches {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
    /// Steps handed out.
    given: u64,
    from: u64,
    /// The order of the epoch that is being gathered, when no worker does it.
    inline: Option<Gatherer>,
}

struct Shared {
    part: Part,
    order: Order,
    buckets: Option<Arc<Buckets>>,
    /// The step to end before.
    until: u64,
    slots: Vec<Slot>,
    /// Batches gathered, and batches that the trainer is done with.
    filled: AtomicU64,
    freed: AtomicU64,
    closing: AtomicBool,
    room: Signal,
    ready: Signal,
}

struct Slot {
    _memory: Block,
    columns: Vec<*mut u8>,
    /// Of the batch that it holds.
    rung: AtomicUsize,
}

// SAFETY: the pointers lead into `_memory`. The ring hands a slot to one thread at a time: the gatherer
// writes it before `filled` counts it (release), the trainer uses it before `freed` counts it.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

impl Batches {
    /// The batches of steps `from` to `until` (not included) of a part.
    pub fn new(part: &Part, order: Order, from: u64, until: u64, prefetch: Prefetch) -> Batches {
        Batches::of_training(part, order, from..until, prefetch, &Augmenter::default(), None)
    }

    /// The batches of some steps, their rows changed at random; with buckets rows of like length, cut to the longest.
    pub fn of_training(
        part: &Part,
        order: Order,
        steps: Range<u64>,
        prefetch: Prefetch,
        augmenter: &Augmenter,
        buckets: Option<Arc<Buckets>>,
    ) -> Batches {
        let Range { start: from, end: until } = steps;
        assert!(order.steps_per_epoch() > 0, "data: a part that is stepped through has a batch");
        let sizes = part.store.columns.iter().map(|c| c.row_bytes() * order.batch);
        let (offsets, total) = lay_out(sizes);
        let slot = || {
            let memory = Block::new(total);
            let columns = offsets.iter().map(|o| memory.at(*o)).collect();
            Slot { _memory: memory, columns, rung: AtomicUsize::new(0) }
        };
        let cuts = buckets.is_some();
        let shared = Arc::new(Shared {
            part: part.clone(),
            order,
            buckets,
            until,
            slots: (0..prefetch.slots()).map(|_| slot()).collect(),
            filled: AtomicU64::new(from),
            freed: AtomicU64::new(from),
            closing: AtomicBool::new(false),
            room: Signal::default(),
            ready: Signal::default(),
        });
        let gatherer = || Gatherer {
            epoch: None,
            order: Vec::with_capacity(part.len()),
            scratch: Vec::with_capacity(part.store.row_bytes()),
            augmenter: augmenter.clone(),
            cutter: cuts.then(|| Cutter::new(part)),
        };
        let (worker, inline) = match prefetch {
            Prefetch::Inline => (None, Some(gatherer())),
            Prefetch::Thread => {
                let (shared, gatherer_ahead) = (shared.clone(), gatherer());
                let spawned = std::thread::Builder::new()
                    .name("mlc-batches".into())
                    .spawn(move || gather_ahead(&shared, gatherer_ahead, from));
                // Without a thread to be had, the trainer gathers: the batches are the same.
                match spawned {
                    Ok(worker) => (Some(worker), None),
                    Err(_) => (None, Some(gatherer())),
                }
            }
        };
        Batches { shared, worker, given: from, from, inline }
    }

    /// The next batch, or none behind the last. The one before is given back.
    pub fn advance(&mut self) -> Option<Batch<'_>> {
        let step = self.given;
        if step >= self.shared.until {
            return None;
        }
        self.given += 1;
        let shared = &*self.shared;
        let slot = &shared.slots[(step % shared.slots.len() as u64) as usize];
        match &mut self.inline {
            Some(gatherer) => gatherer.fill(shared, step, slot),
            None => {
                if step > self.from {
                    shared.freed.store(step, Ordering::SeqCst);
                    if shared.filled.load(Ordering::SeqCst) - step <= SLOTS / 2 {
                        shared.room.wake();
                    }
                }
                shared.ready.wait(|| shared.filled.load(Ordering::SeqCst) > step);
            }
        }
        let rung = slot.rung.load(Ordering::Relaxed);
        Some(Batch { step, rows: shared.order.rows_of(step), rung, columns: &slot.columns })
    }

    /// Bytes of all slots together.
    pub fn bytes(&self) -> usize {
        self.shared.slots.iter().map(|s| s._memory.len()).sum()
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.room.wake();
        if let Some(worker) = self.worker.take() {
            worker.join().expect("data: the gatherer does not panic");
        }
    }
}

fn gather_ahead(shared: &Shared, mut gatherer: Gatherer, from: u64) {
    for step in from..shared.until {
        let free = |keep: u64| step - shared.freed.load(Ordering::SeqCst) < keep;
        let closing = || shared.closing.load(Ordering::SeqCst);
        if !free(SLOTS) {
            shared.room.wait(|| closing() || free(SLOTS / 2 + 1));
        }
        if closing() {
            return;
        }
        let slot = &shared.slots[(step % SLOTS) as usize];
        gatherer.fill(shared, step, slot);
        shared.filled.store(step + 1, Ordering::SeqCst);
        shared.ready.wake();
    }
}

/// Copies rows into slots; keeps the order of the epoch at hand.
struct Gatherer {
    epoch: Option<u64>,
    order: Vec<u32>,
    /// A row of a store on disk.
    scratch: Vec<u8>,
    augmenter: Augmenter,
    /// With buckets.
    cutter: Option<Cutter>,
}

/// What rows of like length are brought together and cut in.
struct Cutter {
    room: Room,
    /// One whole row.
    _memory: Block,
    columns: Vec<*mut u8>,
}

// SAFETY: the pointers lead into `_memory`, which goes along, and nobody else has them.
unsafe impl Send for Cutter {}

impl Cutter {
    fn new(part: &Part) -> Cutter {
        let (offsets, total) = lay_out(part.store.columns.iter().map(|c| c.row_bytes()));
        let memory = Block::new(total);
        let columns = offsets.iter().map(|o| memory.at(*o)).collect();
        Cutter { room: Room::new(part.len()), _memory: memory, columns }
    }
}

impl Gatherer {
    fn fill(&mut self, shared: &Shared, step: u64, slot: &Slot) {
        let Shared { part, order, buckets, .. } = shared;
        let rows = order.rows_of(step);
        if self.epoch != Some(rows.epoch) {
            order.arrange(&part.rows, rows.epoch, &mut self.order);
            if let (Some(buckets), Some(cutter)) = (buckets, &mut self.cutter) {
                buckets.arrange(order, rows.epoch, &mut self.order, &mut cutter.room);
            }
            self.epoch = Some(rows.epoch);
        }
        let wanted = &self.order[rows.start..rows.start + rows.count];
        let rung = buckets.as_ref().map_or(0, |buckets| buckets.rung(wanted));
        slot.rung.store(rung, Ordering::Relaxed);
        let (scratch, augmenter) = (&mut self.scratch, &mut self.augmenter);
        let mut copy = |row: u32, to: &dyn Fn(usize) -> *mut u8| {
            // SAFETY: whoever calls has room for a row of each column, and this thread alone holds it.
            unsafe {
                part.store.copy_row(row, to, scratch);
                augmenter.change(part, rows.epoch, row, to);
            }
        };
        let (Some(buckets), Some(cutter)) = (buckets, &self.cutter) else {
            for (i, row) in wanted.iter().enumerate() {
                // There is room for `batch` rows of each column, and `i` is below that.
                let size = |column: usize| part.store.columns[column].row_bytes();
                copy(*row, &|column| slot.columns[column].wrapping_add(i * size(column)));
            }
            return;
        };
        for (i, row) in wanted.iter().enumerate() {
            copy(*row, &|column| cutter.columns[column]);
            for (column, kept) in buckets.kept(rung).iter().enumerate() {
                // SAFETY: what is kept lies within a row, of which the cutter holds one and the slot `batch`; `i` is
                // below that, and the two are apart.
                unsafe {
                    let from = cutter.columns[column].add(kept.start).cast_const();
                    let to = slot.columns[column].add(i * kept.len());
                    std::ptr::copy_nonoverlapping(from, to, kept.len());
                }
            }
        }
    }
}

/// One side waits for a condition, the other makes it true and wakes.
#[derive(Default)]
struct Signal {
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    bell: Condvar,
}

impl Signal {
    /// Returns when `ready` holds: a bounded spin, then sleep.
    fn wait(&self, ready: impl Fn() -> bool) {
        for _ in 0..SPINS {
            if ready() {
                return;
            }
            std::hint::spin_loop();
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !ready() {
            guard = self.bell.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// To be called after the condition was made true. Either the sleeper's count is seen here, or
    /// the sleeper, which counts itself first, sees the condition.
    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.bell.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Array, Store, Values};
    use super::*;

    fn part(rows: usize) -> Part {
        let columns = vec![
            Array {
                name: "a".into(),
                row: vec![2],
                values: Values::F32((0..2 * rows).map(|i| i as f32).collect()),
            },
            Array { name: "b".into(), row: vec![], values: Values::U8((0..rows).map(|i| i as u8).collect()) },
        ];
        Part { store: Arc::new(Store::new(columns)), rows: (0..rows as u32).collect() }
    }

    /// The `b` column of each batch, checked against `a`.
    fn seen(order: Order, from: u64, until: u64, prefetch: Prefetch) -> Vec<Vec<u8>> {
        let part = part(order.rows);
        let mut batches = Batches::new(&part, order, from, until, prefetch);
        let mut all = Vec::new();
        while let Some(batch) = batches.advance() {
            assert_eq!(batch.step, from + all.len() as u64);
            let n = batch.rows.count;
            assert!(batch.columns.iter().all(|c| (*c as usize).is_multiple_of(128)));
            // SAFETY: columns a and b have two floats and one byte in each of the batch's rows.
            let (a, b) = unsafe {
                let a = std::slice::from_raw_parts(batch.columns[0].cast::<f32>(), 2 * n);
                (a, std::slice::from_raw_parts(batch.columns[1], n))
            };
            for (i, b) in b.iter().enumerate() {
                assert_eq!(a[2 * i..2 * i + 2], [2.0 * f32::from(*b), 2.0 * f32::from(*b) + 1.0]);
            }
            all.push(b.to_vec());
        }
        all
    }

    #[test]
    fn a_thread_gives_what_the_trainer_would_gather() {
        let order = Order { rows: 50, batch: 8, drop_last: false, shuffle: Some(3) };
        let inline = seen(order, 0, 40, Prefetch::Inline);
        assert_eq!(inline.len(), 40);
        assert_eq!(inline[6].len(), 2);
        assert_eq!(seen(order, 0, 40, Prefetch::Thread), inline);
        assert_eq!(seen(order, 9, 40, Prefetch::Thread), inline[9..]);
    }

    #[test]
    fn an_epoch_holds_every_row_once() {
        let order = Order { rows: 50, batch: 8, drop_last: false, shuffle: Some(3) };
        let mut rows = seen(order, 7, 14, Prefetch::Inline).concat();
        rows.sort_unstable();
        assert_eq!(rows, (0..50).collect::<Vec<u8>>());
    }

    #[test]
    fn dropping_early_ends_the_thread() {
        let order = Order { rows: 50, batch: 8, drop_last: true, shuffle: None };
        for taken in 0..6 {
            let mut batches = Batches::new(&part(50), order, 0, u64::MAX, Prefetch::Thread);
            for _ in 0..taken {
                batches.advance().unwrap();
            }
        }
    }

    #[test]
    fn a_slow_side_on_either_end_is_waited_for() {
        let order = Order { rows: 50, batch: 8, drop_last: false, shuffle: Some(3) };
        let mut batches = Batches::new(&part(50), order, 0, 30, Prefetch::Thread);
        for step in 0..30 {
            if step % 10 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            assert_eq!(batches.advance().map(|b| b.step), Some(step));
        }
        assert!(batches.advance().is_none());
    }
}
