//! What kernels and steps cost, in instructions: the same on a busy machine as on an idle one.
//!
//! Ten kernels and a step of each net of [`nets`](crate::nets) run on one thread under callgrind; their counts must stay
//! within [`TOLERANCE`] of those in `benches/counts.txt`. Cheaper counts too: the record is then taken down, so that
//! it cannot be lost again. `MLC_UPDATE_COUNTS=1 cargo test --test it counts::` writes the file anew.
//!
//! The counts are of the development profile, in which the crate `kernels` is optimised as in a release, and of
//! AVX2, the best that valgrind knows. Another compiler makes other counts: record them in the change that
//! moves to it.

use crate::nets;
use crate::support::{root, skipped};
use mlc::base::Sources;
use mlc::ops::{Framework, Library};
use mlc::runtime::On;
use mlc::runtime::data::{self, Batches, Order, Places, Prefetch};
use mlc::runtime::trainer::Trainer;
use mlc::sema::{self, Settings};
use mlc::syntax;
use mlc_kernels::abi::{Ctx, Strip1Fn};
use mlc_kernels::gemm::{Gemm, Offsets, Operand, Out, Precision, Problem, mlc_gemm};
use mlc_kernels::{Isa, rng, strip, team::Team};
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

/// Of a count, either way.
const TOLERANCE: f64 = 0.03;
const RECORD: &str = "benches/counts.txt";
const HEAD: &str = "# Instructions under callgrind, AVX2, one thread, development profile.
# Written by MLC_UPDATE_COUNTS=1 cargo test --test it counts::
";

/// What callgrind counts is the inside of this function, and it writes what it has at its end.
///
/// It has a name that no compiler changes, since callgrind is told it.
#[unsafe(no_mangle)]
#[inline(never)]
fn mlc_counted(work: &mut dyn FnMut()) {
    work();
}

/// Does the work once, so that what is made at first use is there, and counts the second time.
fn counted(mut work: impl FnMut()) {
    work();
    mlc_counted(&mut work);
}

/// A work by its name. Each counts once.
type Work = (&'static str, fn());

const KERNELS: [Work; 10] = [
    ("product 32x128, k 784", || product(1, [32, 128, 784], false, false)),
    ("product 784x128, k 32, of columns", || product(1, [784, 128, 32], true, false)),
    ("product 32x10, k 128", || product(1, [32, 10, 128], false, false)),
    ("product 64x64, k 16, of rows, 12 of them", || product(12, [64, 64, 16], false, true)),
    ("product 676x32, k 72, through windows", product_through_windows),
    ("exp of 4096", || strip(strip::mlc_exp)),
    ("tanh of 4096", || strip(strip::mlc_tanh)),
    ("erf of 4096", || strip(strip::mlc_erf)),
    ("uniform, 4096", uniform),
    ("sum and max of 4096", folds),
];

fn numbers(n: usize) -> Vec<f32> {
    let mut x = vec![0f32; n];
    rng::fill([1, 2], 1, 0, &mut x);
    x
}

/// A batch of products of `m` x `n` over `k`, of operands whose rows lie apart by `k`, or whose columns do by `m`; the
/// right one the other way round if `of_rows`.
fn product(batch: usize, [m, n, k]: [usize; 3], of_columns: bool, of_rows: bool) {
    let operand = |rows: usize, by_columns: bool| {
        let (row, step) = if by_columns { (1, rows) } else { (k, 1) };
        Operand { rows: Offsets::Stride(row as isize), ks: Offsets::Stride(step as isize) }
    };
    run(Problem {
        batch,
        m,
        n,
        k,
        precision: Precision::F32,
        lhs: operand(m, of_columns),
        rhs: operand(n, !of_rows),
        batch_lhs: Offsets::Stride((m * k) as isize),
        batch_rhs: Offsets::Stride((n * k) as isize),
        batch_out: Offsets::Stride((m * n) as isize),
        out: Out::Store { ldc: n },
        streams: Vec::new(),
    });
}

/// The product of a convolution of 3x3 over an image of 28x28 with 8 channels, which lies where it is.
fn product_through_windows() {
    let (side, channels, kernel) = (28, 8, 3);
    let lines = |count: usize, len: usize, step: usize| Offsets::Runs {
        starts: (0..count).map(|line| (line * side * channels) as i32).collect(),
        len,
        step: step as isize,
    };
    let (places, n, k) = (side - kernel + 1, 32, kernel * kernel * channels);
    run(Problem {
        batch: 1,
        m: places * places,
        n,
        k,
        precision: Precision::F32,
        lhs: Operand { rows: lines(places, places, channels), ks: lines(kernel, kernel * channels, 1) },
        rhs: Operand { rows: Offsets::Stride(1), ks: Offsets::Stride(n as isize) },
        batch_lhs: Offsets::Stride(0),
        batch_rhs: Offsets::Stride(0),
        batch_out: Offsets::Stride(0),
        out: Out::Store { ldc: n },
        streams: Vec::new(),
    });
}

fn run(problem: Problem) {
    // Operands through windows are smaller than their rows times `k`.
    let (m, n, k, batch) = (problem.m, problem.n, problem.k, problem.batch);
    let (lhs, rhs, mut out) = (numbers(batch * m * k), numbers(batch * n * k), numbers(batch * m * n));
    let gemm = Gemm::new(problem, Isa::current(), 1);
    let team = Team::new(1, gemm.scratch_bytes());
    let mut workspace = numbers(gemm.workspace_bytes() / 4);
    let ctx = Ctx {
        buffers: std::ptr::null(),
        seed: 0,
        step: 0,
        team: (&raw const team).cast(),
        workspace: workspace.as_mut_ptr().cast(),
    };
    // SAFETY: everything lives here and has the sizes of the problem.
    counted(|| unsafe { mlc_gemm(&ctx, &gemm, lhs.as_ptr(), rhs.as_ptr(), out.as_mut_ptr()) });
}

fn strip(function: Strip1Fn) {
    let (x, mut y) = (numbers(4096), numbers(4096));
    // SAFETY: both have so many numbers.
    counted(|| unsafe { function(x.len(), x.as_ptr(), y.as_mut_ptr()) });
}

fn uniform() {
    let mut x = numbers(4096);
    counted(|| rng::fill([3, 4], 7, 0, &mut x));
}

fn folds() {
    let x = numbers(4096);
    // SAFETY: there are so many numbers.
    counted(|| unsafe {
        black_box((strip::mlc_sum(x.len(), x.as_ptr()), strip::mlc_max(x.len(), x.as_ptr())));
    });
}

/// The second step of a training, its batch gathered before.
fn step(text: &str) {
    let mut sources = Sources::new();
    let file = sources.add("net.mlspec", None, text);
    let (ast, wrong) = syntax::parse(&sources, file);
    assert!(!wrong.has_errors());
    let probe = data::DiskProbe::default();
    let (job, wrong) = sema::check(&mut sources, file, &ast, &Settings::default(), &probe);
    assert!(!wrong.has_errors(), "{wrong:?}");
    let job = job.expect("the spec is sound");
    let data = data::load(&job.data[0], &Places::default()).expect("made-up data are sound");
    let library = Library::std(Framework::Keras, &mut sources);
    let train = &job.trains[0];
    let on = On::Cpu { threads: 1 };
    let mut trainer = Trainer::new(&library, train, &job.data[0], &data, on).expect("the net is small");
    let order = Order { drop_last: true, ..trainer.order() };
    let mut batches = Batches::new(&data.train, order, 0, 2, Prefetch::Inline);
    trainer.step(&batches.advance().expect("there are two steps")).expect("it trains");
    let batch = batches.advance().expect("there are two steps");
    mlc_counted(&mut || trainer.step(&batch).expect("it trains"));
}

fn names() -> Vec<String> {
    let kernels = KERNELS.iter().map(|(name, _)| name.to_string());
    kernels.chain(nets::NETS.iter().map(|(name, _)| format!("step of {name}"))).collect()
}

#[test]
#[ignore = "counts for a whole process: started by instructions_stay_within_three_per_cent"]
fn works_in_a_process_alone() {
    KERNELS.iter().for_each(|(_, work)| work());
    nets::NETS.iter().for_each(|(_, text)| step(text));
}

/// The counts of all works, in order, by this binary under callgrind.
fn count() -> Vec<u64> {
    let place = tempfile::tempdir().expect("a temporary folder");
    let out = place.path().join("out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=mlc_counted", "--dump-after=mlc_counted"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().expect("the test has a binary"))
        .args(["--exact", "counts::works_in_a_process_alone", "--ignored", "--test-threads", "1"])
        .env("MLC_ISA", Isa::Avx2.name())
        .output()
        .expect("valgrind starts");
    let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    (1..=names().len()).map(|dump| total(&place.path().join(format!("out.{dump}")))).collect()
}

/// The sum of a dump: its line `totals: 1234`.
fn total(dump: &Path) -> u64 {
    let text = fs::read_to_string(dump).expect("callgrind wrote a dump for each work");
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    line.and_then(|total| total.trim().parse().ok()).expect("a dump has its sum")
}

fn record(counts: &[u64]) -> String {
    let mut text = HEAD.to_string();
    for (name, count) in names().iter().zip(counts) {
        writeln!(text, "{count:>9}  {name}").expect("texts take lines");
    }
    text
}

/// The recorded count of a name.
fn recorded(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.trim().split_once("  "));
    lines.find(|(_, of)| *of == name).and_then(|(count, _)| count.parse().ok())
}

/// What moved too far, a line each.
fn moved(text: &str, counts: &[u64]) -> String {
    let mut moved = String::new();
    for (name, &now) in names().iter().zip(counts) {
        let line = match recorded(text, name) {
            None => format!("{name}: {now}, not recorded"),
            Some(before) => {
                let change = now as f64 / before as f64 - 1.0;
                if change.abs() <= TOLERANCE {
                    continue;
                }
                format!("{name}: {now}, {:+.1} % of {before}", 100.0 * change)
            }
        };
        moved += &line;
        moved.push('\n');
    }
    moved
}

/// Whether valgrind can count what is recorded.
///
/// # Panics
/// If it cannot and `MLC_REQUIRE_VALGRIND=1`.
fn countable(test: &str) -> bool {
    let wants = if !cfg!(debug_assertions) {
        "the development profile"
    } else if !Isa::Avx2.is_available() {
        "a processor with AVX2"
    } else if !Command::new("valgrind").arg("--version").output().is_ok_and(|o| o.status.success()) {
        "valgrind"
    } else {
        return true;
    };
    let required = std::env::var("MLC_REQUIRE_VALGRIND").is_ok_and(|v| v == "1");
    assert!(!required, "{test} wants {wants}");
    skipped(test, wants);
    false
}

#[test]
fn instructions_stay_within_three_per_cent() {
    if !countable("instructions_stay_within_three_per_cent") {
        return;
    }
    let counts = count();
    let file = root().join(RECORD);
    if std::env::var("MLC_UPDATE_COUNTS").is_ok_and(|v| v == "1") {
        fs::write(&file, record(&counts)).expect("benches is writable");
    }
    let moved = moved(&fs::read_to_string(&file).unwrap_or_default(), &counts);
    assert!(
        moved.is_empty(),
        "instructions moved:\n{moved}If that is meant: MLC_UPDATE_COUNTS=1 cargo test --test it counts::"
    );
}

#[test]
fn counts_that_move_are_told() {
    let text = record(&vec![1000; names().len()]);
    let mut counts = vec![1000; names().len()];
    (counts[0], counts[1], counts[2]) = (1029, 1031, 969);
    let told = moved(&text, &counts);
    assert_eq!(
        told,
        "product 784x128, k 32, of columns: 1031, +3.1 % of 1000\nproduct 32x10, k 128: 969, -3.1 % of 1000\n"
    );
    assert!(moved("", &counts).starts_with("product 32x128, k 784: 1029, not recorded\n"));
}
