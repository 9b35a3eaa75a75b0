//! What a training allocates: nothing in a step, and before it what the plan says.
//!
//! The counts are of a whole process, so each test runs in a process of its own: this binary,
//! started anew for one ignored test.

use mlc::base::Sources;
use mlc::ops::{Framework, Library};
use mlc::runtime::data::{self, Dataset, DiskProbe, Places};
use mlc::runtime::progress::{Begin, End, Progress};
use mlc::runtime::run_dir::{Asked, Record};
use mlc::runtime::session::{self, Options};
use mlc::runtime::{plan, process};
use mlc::sema::{self, Job, Settings};
use mlc::syntax;
use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Counts what every thread asks for.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system's terms.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A step with everything: a batch large enough for the gatherer's thread, dropout, two products.
const SPEC: &str = "mlspec 1

data images {
  source = synthetic(images, height=24, width=24, channels=1, classes=10, rows=3000)
  split  { train = 100% }
  batch  = 256
}

model Mlp {
  input image: f32[B, 24, 24, 1]
  output logits: f32[B, 10] =
    image |> Flatten |> Dense(512, activation=gelu) as fc1 |> Dropout(0.2) |> Dense(10) as fc2
}

train {
  feed      { image = images.image  label = images.label }
  loss      = CrossEntropy(Mlp.logits, label)
  optimizer = Adam(lr=1e-3)
  epochs    = 3
}
";

/// What else a step may do: several batches for an update, averages of the weights.
const MORE: &str = "accumulate = 2  ema = 0.9";

fn job(more: &str) -> (Job, Dataset) {
    let mut sources = Sources::new();
    let text = SPEC.replace("epochs    = 3", &format!("epochs = 3  {more}"));
    let file = sources.add("a.mlspec", None, text);
    let (ast, wrong) = syntax::parse(&sources, file);
    assert!(!wrong.has_errors());
    let probe = DiskProbe::default();
    let (job, wrong) = sema::check(&mut sources, file, &ast, &Settings::default(), &probe);
    assert!(!wrong.has_errors(), "{wrong:?}");
    let job = job.expect("the spec is sound");
    let data = data::load(&job.data[0], &Places::default()).expect("made-up data are sound");
    (job, data)
}

/// Runs one ignored test of this file in a process of its own.
fn alone(name: &str) {
    let this = std::env::current_exe().expect("the test has a binary");
    let output = Command::new(this)
        .args(["--exact", &format!("memory::{name}"), "--ignored", "--nocapture", "--test-threads", "1"])
        .output()
        .expect("the test's binary starts");
    let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_step_allocates_nothing() {
    alone("steps_in_a_process_alone");
}

#[test]
fn the_plan_is_what_is_taken() {
    alone("plan_in_a_process_alone");
}

/// Notes how often memory was asked for at each step.
struct Watch {
    calls: Vec<usize>,
    live: usize,
}

impl Progress for Watch {
    fn begin(&mut self, _: &Begin) {}
    fn step(&mut self, _: &Record) {
        self.live = LIVE.load(Relaxed);
        // There is room for every step: the note itself asks for nothing.
        self.calls.push(CALLS.load(Relaxed));
    }
    fn epoch(&mut self, _: &Record) {}
    fn end(&mut self, _: &End) {}
}

fn watched(more: &str, threads: usize, steps: u64) -> Watch {
    let (job, data) = job(more);
    let library = Library::std(Framework::Keras, &mut Sources::new());
    let folder = tempfile::tempdir().unwrap();
    let mut watch = Watch { calls: Vec::with_capacity(100), live: 0 };
    let asked = Asked { steps: Some(steps), ..Asked::default() };
    let options = Options { threads, asked, out: Some(folder.path().to_path_buf()), ..Options::default() };
    let stop = AtomicBool::new(false);
    session::train(&library, &job, &job.trains[0], &data, &options, &mut watch, &stop).expect("trains");
    watch
}

#[test]
#[ignore = "counts for a whole process: started by a_step_allocates_nothing"]
fn steps_in_a_process_alone() {
    for threads in [1, 3] {
        let watch = watched("", threads, 30);
        // An epoch has 11 full batches and a smaller one, whose program is compiled when it is met.
        let full: Vec<&[usize]> = vec![&watch.calls[1..11], &watch.calls[13..23]];
        for calls in full {
            assert!(calls.iter().all(|c| *c == calls[0]), "{threads} threads: {calls:?}");
        }
    }
    // Of twice as many rows there are five full steps in an epoch, and a smaller one.
    let watch = watched(MORE, 2, 12);
    for calls in [&watch.calls[1..5], &watch.calls[7..11]] {
        assert!(calls.iter().all(|c| *c == calls[0]), "steps of two batches: {calls:?}");
    }
}

#[test]
#[ignore = "counts for a whole process: started by the_plan_is_what_is_taken"]
fn plan_in_a_process_alone() {
    planned_is_taken("");
    planned_is_taken(MORE);
}

fn planned_is_taken(more: &str) {
    let (job, data) = job(more);
    let library = Library::std(Framework::Keras, &mut Sources::new());
    let planned = plan::report(&library, &job, &job.trains[0], Some(&data), 2).memory;
    drop((job, data));
    assert!(planned.total > 8 << 20, "large enough to tell: {planned:?}");
    let (before, resident) = (LIVE.load(Relaxed), process::rss());
    let taken = watched(more, 2, 5).live - before - planned.data.expect("the data were there");
    // Beside the plan stand the graphs, the loops and what the compiler keeps of the code.
    let beside = 1 << 20;
    assert!(taken >= planned.total && taken <= planned.total + beside, "took {taken}, planned {planned:?}");
    if let (Some(before), Some(after)) = (resident, process::peak_rss()) {
        let grown = after.saturating_sub(before) as usize;
        let code_and_compiler = 64 << 20;
        assert!(
            grown <= planned.total + 2 * planned.data.unwrap_or(0) + code_and_compiler,
            "grew by {grown}"
        );
    }
}
