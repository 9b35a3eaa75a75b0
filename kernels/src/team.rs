//! One persistent team of threads.
//!
//! [`Team::run`] runs the tasks `0..tasks` of a region, each once, on whichever thread gets to it
//! first; the caller works too. So a task must not depend on who runs it or in what order. Nothing
//! is allocated after [`Team::new`]. A panic in a task ends the process, since others wait for it.
//!
//! **Claiming.** What is left of a region is an interval of tasks in one atomic word. The caller
//! takes tasks from its front, helpers take from its back: from region to region a thread gets
//! about the same tasks, whose data its cache still holds, and a slow core simply takes fewer.
//!
//! **A busy neighbour.** The caller never waits for a helper that has not begun: it works until no
//! task is left, then waits only for tasks that a helper is in the middle of. Both waits are a
//! short bounded spin; then an idle helper parks, and a waiting caller yields its core.
//!
//! **Denormals** are flushed to zero while a thread works on a region, see [`FlushDenormals`].
//!
//! **Regions do not nest**: a task must not start one, on pain of a panic.

use crate::abi::{Ctx, TaskFn};
use crate::block::Block;
use crate::denormals::FlushDenormals;
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Pauses before a thread that waits gives up its core: about 120 us on Zen 4 and 280 us on
/// Sapphire Rapids, longer than the serial stretches between the regions of a step and the batch that
/// is copied between two steps. Waking a thread that sleeps takes 50 us and more on a virtual machine.
const SPINS: u32 = 6000;

/// What a fresh cache line costs its owner when neighbours write it; two lines, since processors
/// prefetch pairs.
const LINE: usize = 128;

/// Threads that run regions together; the one that calls [`run`](Team::run) is thread 0.
pub struct Team {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    running: AtomicBool,
}

struct Shared {
    region: Padded<Region>,
    /// Tasks of the region that helpers have finished.
    finished: Padded<AtomicUsize>,
    /// The helpers' own state: `sleepers[i]` is thread `i + 1`.
    sleepers: Vec<Padded<AtomicBool>>,
    scratch: Scratch,
    closing: AtomicBool,
}

struct Region {
    /// The tasks not claimed yet: those from the low half up to, not including, the high half.
    left: AtomicU64,
    job: UnsafeCell<Job>,
}

/// What a region runs. Written by the caller between regions, read by a helper that has claimed a
/// task and not yet finished it.
#[derive(Clone, Copy)]
struct Job {
    call: unsafe extern "C" fn(data: *const c_void, task: usize, scratch: *mut u8),
    data: *const c_void,
}

#[repr(align(128))]
struct Padded<T>(T);

// SAFETY: `job` is the only field that is not `Sync` by itself. It is written only by `run_job`,
// whose region is then the only one (`running`), before `left` is published with `Release`; a
// helper reads it after claiming a task (`Acquire` on `left`), and `run_job` returns, so that the
// next write can come, only after every claimed task is counted in `finished`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointers inside are owned memory (`scratch`) or never touched outside a
// region (`job.data`, which the region's closure type makes `Sync`).
unsafe impl Send for Shared {}

impl Team {
    /// A team of `threads` (at least 1, the caller included), each with `scratch_bytes` of its own,
    /// aligned to 128 bytes.
    pub fn new(threads: usize, scratch_bytes: usize) -> Team {
        let threads = threads.max(1);
        let shared = Arc::new(Shared {
            region: Padded(Region {
                left: AtomicU64::new(0),
                job: UnsafeCell::new(Job { call: no_task, data: std::ptr::null() }),
            }),
            finished: Padded(AtomicUsize::new(0)),
            sleepers: (1..threads).map(|_| Padded(AtomicBool::new(false))).collect(),
            scratch: Scratch::new(threads, scratch_bytes),
            closing: AtomicBool::new(false),
        });
        let helpers = (1..threads)
            .map(|id| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("mlc-team-{id}"))
                    .spawn(move || shared.help(id))
                    .expect("the system grants the team its threads")
            })
            .collect();
        Team { shared, helpers, running: AtomicBool::new(false) }
    }

    pub fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Bytes of scratch that each thread owns.
    pub fn scratch_bytes(&self) -> usize {
        self.shared.scratch.bytes
    }

    /// Runs `f(ctx, task, scratch)` for each task of `0..tasks`.
    ///
    /// # Safety
    /// `f` may be called with `ctx` from any thread, for different tasks at the same time, until
    /// this returns.
    pub unsafe fn run(&self, ctx: *const Ctx, f: TaskFn, tasks: usize) {
        let job = (ctx, f);
        self.run_job(Job { call: call_task_fn, data: (&raw const job).cast() }, tasks);
    }

    /// Runs `f(task, scratch)` for each task of `0..tasks`; `scratch` is the thread's own.
    pub fn each<F: Fn(usize, *mut u8) + Sync>(&self, tasks: usize, f: &F) {
        self.run_job(Job { call: call_closure::<F>, data: (f as *const F).cast() }, tasks);
    }

    fn run_job(&self, job: Job, tasks: usize) {
        assert!(!self.running.load(Ordering::Relaxed), "regions do not nest");
        self.running.store(true, Ordering::Relaxed);
        let flush = FlushDenormals::new();
        if self.helpers.is_empty() || tasks <= 1 {
            self.run_alone(job, tasks);
        } else {
            self.run_together(job, tasks);
        }
        drop(flush);
        self.running.store(false, Ordering::Relaxed);
    }

    fn run_alone(&self, job: Job, tasks: usize) {
        let scratch = self.shared.scratch.of(0);
        for task in 0..tasks {
            // SAFETY: the job is live until `run_job` returns, and this thread owns scratch 0.
            unsafe { (job.call)(job.data, task, scratch) };
        }
    }

    fn run_together(&self, job: Job, tasks: usize) {
        let shared = &*self.shared;
        let end = u32::try_from(tasks).expect("a region has fewer than 2^32 tasks");
        // SAFETY: no region is open (the last one waited for its tasks), so no helper reads it.
        unsafe { *shared.region.0.job.get() = job };
        shared.finished.0.store(0, Ordering::Relaxed);
        // SeqCst, with the load in `wake`: either this thread sees that a helper sleeps, or the
        // helper sees the region before it sleeps.
        shared.region.0.left.store(pack(0, end), Ordering::SeqCst);
        self.wake(tasks - 1);

        let scratch = shared.scratch.of(0);
        let mut mine = 0;
        while let Some(task) = shared.claim(End::Front) {
            // SAFETY: the job is live until `run_job` returns, and this thread owns scratch 0.
            unsafe { (job.call)(job.data, task, scratch) };
            mine += 1;
        }
        let mut spins = 0;
        while shared.finished.0.load(Ordering::Acquire) != tasks - mine {
            wait_a_little(&mut spins);
        }
    }

    /// Wakes up to `wanted` helpers that sleep.
    fn wake(&self, wanted: usize) {
        for (helper, asleep) in self.helpers.iter().zip(&self.shared.sleepers).take(wanted) {
            if asleep.0.load(Ordering::SeqCst) {
                helper.thread().unpark();
            }
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            helper.join().expect("a task's panic ends the process before its thread");
        }
    }
}

enum End {
    Front,
    Back,
}

impl Shared {
    /// Takes one task off an end of what is left.
    ///
    /// A successful exchange is all that the protocol rests on: it reads the newest word, so the
    /// task belongs to the open region even if the caller moved on between the load and it.
    fn claim(&self, end: End) -> Option<usize> {
        let left = &self.region.0.left;
        let mut word = left.load(Ordering::Acquire);
        loop {
            let (first, last) = unpack(word);
            if first >= last {
                return None;
            }
            let (task, rest) = match end {
                End::Front => (first, pack(first + 1, last)),
                End::Back => (last - 1, pack(first, last - 1)),
            };
            match left.compare_exchange_weak(word, rest, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(task as usize),
                Err(newer) => word = newer,
            }
        }
    }

    /// The life of helper `id`.
    fn help(&self, id: usize) {
        let _flush = FlushDenormals::new();
        let scratch = self.scratch.of(id);
        let mut spins = 0;
        while !self.closing.load(Ordering::Relaxed) {
            if let Some(task) = self.claim(End::Back) {
                // SAFETY: this thread holds a claimed task that is not counted as finished, so
                // the job is not written and what it points at is live.
                unsafe {
                    let job = *self.region.0.job.get();
                    (job.call)(job.data, task, scratch);
                }
                self.finished.0.fetch_add(1, Ordering::Release);
                spins = 0;
            } else if spins < SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else {
                self.sleep(id);
                spins = 0;
            }
        }
    }

    fn sleep(&self, id: usize) {
        let asleep = &self.sleepers[id - 1].0;
        asleep.store(true, Ordering::SeqCst);
        let (first, last) = unpack(self.region.0.left.load(Ordering::SeqCst));
        if first >= last && !self.closing.load(Ordering::SeqCst) {
            std::thread::park();
        }
        asleep.store(false, Ordering::SeqCst);
    }
}

fn wait_a_little(spins: &mut u32) {
    *spins += 1;
    if *spins < SPINS {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

fn pack(first: u32, last: u32) -> u64 {
    u64::from(last) << 32 | u64::from(first)
}

fn unpack(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

unsafe extern "C" fn no_task(_: *const c_void, _: usize, _: *mut u8) {}

/// # Safety
/// `data` is the pair that [`Team::run`] made, whose caller promised the rest.
unsafe extern "C" fn call_task_fn(data: *const c_void, task: usize, scratch: *mut u8) {
    // SAFETY: see above.
    unsafe {
        let (ctx, f) = *data.cast::<(*const Ctx, TaskFn)>();
        f(ctx, task, scratch);
    }
}

/// # Safety
/// `data` is the closure that [`Team::each`] borrowed.
unsafe extern "C" fn call_closure<F: Fn(usize, *mut u8) + Sync>(
    data: *const c_void,
    task: usize,
    scratch: *mut u8,
) {
    // SAFETY: see above; `F` is `Sync`, so calling it from this thread is allowed.
    unsafe { (*data.cast::<F>())(task, scratch) }
}

/// One block of memory with a part for each thread.
struct Scratch {
    memory: Block,
    bytes: usize,
    stride: usize,
}

impl Scratch {
    fn new(threads: usize, bytes: usize) -> Scratch {
        let bytes = bytes.next_multiple_of(LINE);
        // A gap keeps the threads' parts apart even for the prefetcher.
        let stride = bytes + LINE;
        Scratch { memory: Block::new(stride * threads), bytes, stride }
    }

    fn of(&self, thread: usize) -> *mut u8 {
        self.memory.at(thread * self.stride)
    }
}

/// Runs a parallel kernel on the team of `ctx`: see [`Team::run`].
///
/// # Safety
/// `ctx` points to a live [`Ctx`] whose `team` points to a live [`Team`]; `f` fits [`Team::run`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlc_team_run(ctx: *const Ctx, f: TaskFn, tasks: usize) {
    // SAFETY: the caller's promise.
    unsafe { (*(*ctx).team.cast::<Team>()).run(ctx, f, tasks) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn every_task_runs_once_in_many_tiny_regions() {
        for threads in [1, 2, 3, 5] {
            let team = Team::new(threads, 64);
            for region in 0..4000usize {
                let tasks = region % 9;
                let counts: [AtomicU32; 9] = Default::default();
                team.each(tasks, &|task, _| {
                    counts[task].fetch_add(1, Ordering::Relaxed);
                });
                for (task, count) in counts.iter().enumerate() {
                    let want = u32::from(task < tasks);
                    assert_eq!(count.load(Ordering::Relaxed), want, "{threads} threads, region {region}");
                }
            }
        }
    }

    #[test]
    fn what_tasks_wrote_is_seen_by_the_caller_and_the_next_region() {
        let team = Team::new(3, 0);
        let mut cells = vec![0u64; 257];
        for region in 1..=500u64 {
            let base = cells.as_mut_ptr() as usize;
            team.each(257, &|task, _| {
                // SAFETY: each task owns one cell of the vector, which outlives the region.
                unsafe { *(base as *mut u64).add(task) += region }
            });
        }
        assert!(cells.iter().all(|&x| x == 500 * 501 / 2));
    }

    #[test]
    fn helpers_wake_after_they_parked() {
        let team = Team::new(2, 0);
        for _ in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(2));
            let done = AtomicUsize::new(0);
            team.each(64, &|_, _| {
                done.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(done.into_inner(), 64);
        }
    }

    #[test]
    fn helpers_take_part() {
        let team = Team::new(2, 0);
        let caller = std::thread::current().id();
        let helped = AtomicBool::new(false);
        team.each(2, &|_, _| {
            if std::thread::current().id() == caller {
                // Keeps the caller busy until the helper has run the other task.
                let start = std::time::Instant::now();
                while !helped.load(Ordering::Acquire) && start.elapsed().as_secs() < 20 {
                    std::thread::yield_now();
                }
            } else {
                helped.store(true, Ordering::Release);
            }
        });
        assert!(helped.into_inner());
    }

    #[test]
    fn scratch_is_aligned_private_and_as_large_as_asked() {
        let team = Team::new(3, 1000);
        assert_eq!(team.scratch_bytes(), 1024);
        let clashes = AtomicUsize::new(0);
        team.each(200, &|task, scratch| {
            assert_eq!(scratch as usize % LINE, 0);
            // SAFETY: the scratch is this thread's for the call and holds 1000 bytes.
            let mine = unsafe { std::slice::from_raw_parts_mut(scratch, 1000) };
            mine.fill(task as u8);
            std::thread::yield_now();
            if mine.iter().any(|&byte| byte != task as u8) {
                clashes.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(clashes.into_inner(), 0);
    }

    #[test]
    fn denormals_vanish_inside_a_region_and_return_after_it() {
        let halve = |x: f32| std::hint::black_box(std::hint::black_box(x) * 0.5);
        for threads in [1, 2] {
            let team = Team::new(threads, 0);
            let kept = AtomicUsize::new(0);
            team.each(16, &|_, _| {
                if halve(f32::MIN_POSITIVE) != 0.0 {
                    kept.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert_eq!(kept.into_inner(), 0);
            assert_ne!(halve(f32::MIN_POSITIVE), 0.0);
        }
    }

    #[test]
    fn generated_code_reaches_the_team_through_its_context() {
        unsafe extern "C" fn add(ctx: *const Ctx, task: usize, _: *mut u8) {
            // SAFETY: the test below hands over a live context whose first buffer is a counter.
            let counter = unsafe { &*(*(*ctx).buffers).cast::<AtomicUsize>() };
            counter.fetch_add(task, Ordering::Relaxed);
        }
        let team = Team::new(2, 0);
        let counter = AtomicUsize::new(0);
        let buffers = [(&raw const counter).cast_mut().cast::<u8>()];
        let ctx = Ctx {
            buffers: buffers.as_ptr(),
            seed: 0,
            step: 0,
            team: (&raw const team).cast(),
            workspace: std::ptr::null_mut(),
        };
        // SAFETY: all that `ctx` points to lives to the end of the test.
        unsafe { mlc_team_run(&ctx, add, 101) };
        assert_eq!(counter.into_inner(), 5050);
    }
}
