//! Every plan gives the bits of the scalar chain.

use super::*;
use crate::abi::Ctx;
use crate::team::Team;

/// One operand's memory and how it lies there.
struct Matrix {
    data: Vec<f32>,
    operand: Operand,
    batch: Offsets,
}

/// Ways to lay out a matrix of rows x ks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    /// k is contiguous.
    Rows,
    /// Rows are contiguous.
    Columns,
    /// Neither is, with gaps, one stride negative.
    Spread,
    /// Rows by a shuffled table, k contiguous.
    RowTable,
    /// Both by tables.
    Tables,
    /// All rows are the same.
    Repeated,
    /// As a kernel sees an image of four channels: rows and ks in runs.
    Image,
    /// The same of one channel, lines of which lie side by side.
    Line,
    /// An image whose lines are longer than tiles.
    Wide,
}

const LAYOUTS: [Layout; 9] = [
    Layout::Rows,
    Layout::Columns,
    Layout::Spread,
    Layout::RowTable,
    Layout::Tables,
    Layout::Repeated,
    Layout::Image,
    Layout::Line,
    Layout::Wide,
];

/// Entries anywhere.
fn table(starts: Vec<i32>) -> Offsets {
    Offsets::Runs { starts, len: 1, step: 0 }
}

fn matrix(layout: Layout, batch: usize, rows: usize, ks: usize, seed: u64) -> Matrix {
    let (r, k) = (rows as isize, ks as isize);
    let shuffled = |n: usize, scale: usize| {
        let mut at: Vec<u32> = (0..n as u32).collect();
        crate::rng::shuffle([1, 2], seed, &mut at);
        table(at.into_iter().map(|i| (i as usize * scale) as i32).collect())
    };
    // `each` entries `step` apart, then on to the next line.
    let runs = |n: usize, each: usize, step: usize| Offsets::Runs {
        starts: (0..n.div_ceil(each)).map(|line| (line * 2 * each * step) as i32).collect(),
        len: each,
        step: step as isize,
    };
    let (rows_at, ks_at) = match layout {
        Layout::Rows => (Offsets::Stride(k), Offsets::Stride(1)),
        Layout::Columns => (Offsets::Stride(1), Offsets::Stride(r)),
        Layout::Spread => (Offsets::Stride(3), Offsets::Stride(-3 * (r + 1))),
        Layout::RowTable => (shuffled(rows, ks + 1), Offsets::Stride(1)),
        Layout::Tables => (shuffled(rows, ks), shuffled(ks, 1)),
        Layout::Repeated => (Offsets::Stride(0), Offsets::Stride(1)),
        Layout::Image => (runs(rows, 5, 4), runs(ks, 12, 1)),
        Layout::Line => (runs(rows, 9, 1), runs(ks, 3, 1)),
        Layout::Wide => (runs(rows, 30, 4), runs(ks, 20, 1)),
    };
    let size = 4 * (rows + 1) * (ks + 1);
    let mut data = vec![0f32; size * batch];
    crate::rng::fill([3, 4], seed, 0, &mut data);
    data.iter_mut().for_each(|x| *x = *x * 2.0 - 1.0);
    let batch = if seed.is_multiple_of(2) {
        Offsets::Stride(size as isize)
    } else {
        table((0..batch).rev().map(|b| (b * size) as i32).collect())
    };
    Matrix { data, operand: Operand { rows: rows_at, ks: ks_at }, batch }
}

impl Matrix {
    /// The first element, such that every offset stays inside.
    fn base(&self) -> *const f32 {
        let lowest = match self.operand.ks {
            Offsets::Stride(step) if step < 0 => self.data.len() / 4 * 3,
            Offsets::Stride(_) | Offsets::Runs { .. } => 0,
        };
        // With a batch the negative steps must stay inside one entry's part.
        let entries = match &self.batch {
            Offsets::Stride(size) => self.data.len().checked_div(*size as usize).unwrap_or(1),
            Offsets::Runs { starts, .. } => starts.len(),
        };
        self.data[lowest / entries.max(1)..].as_ptr()
    }

    fn at(&self, b: usize, row: usize, k: usize) -> f32 {
        let offset = self.batch.at(b) + self.operand.rows.at(row) + self.operand.ks.at(k);
        // SAFETY: `matrix` made room for all offsets around `base`.
        unsafe { *self.base().offset(offset) }
    }
}

/// Rounds by the definition: of the two neighbours whose lower half is 0 the nearer one, of two the even one.
fn as_seen(precision: Precision, x: f32) -> f32 {
    if precision == Precision::F32 || x.is_nan() {
        return x;
    }
    let x = if x.is_subnormal() { 0.0 } else { x };
    let low = f32::from_bits(x.to_bits() & 0xffff_0000);
    let high = f32::from_bits((x.to_bits() & 0xffff_0000) + 0x1_0000);
    let far = |y: f32| (f64::from(y) - f64::from(x)).abs();
    match far(low).total_cmp(&far(high)) {
        std::cmp::Ordering::Less => low,
        std::cmp::Ordering::Greater => high,
        std::cmp::Ordering::Equal if low.to_bits() >> 16 & 1 == 0 => low,
        std::cmp::Ordering::Equal => high,
    }
}

/// The sums as the contract has them.
struct Chain {
    precision: Precision,
    sums: Vec<f32>,
}

fn chains(batch: usize, m: usize, n: usize, k: usize, a: &Matrix, b: &Matrix) -> [Chain; 2] {
    [Precision::F32, Precision::Bf16]
        .map(|precision| Chain { precision, sums: chain(precision, batch, m, n, k, a, b) })
}

fn chain(
    precision: Precision,
    batch: usize,
    m: usize,
    n: usize,
    k: usize,
    a: &Matrix,
    b: &Matrix,
) -> Vec<f32> {
    let seen = |x: f32| as_seen(precision, x);
    let mut want = Vec::with_capacity(batch * m * n);
    for e in 0..batch {
        for i in 0..m {
            for j in 0..n {
                want.push((0..k).fold(0f32, |sum, k| seen(a.at(e, i, k)).mul_add(seen(b.at(e, j, k)), sum)));
            }
        }
    }
    want
}

/// Doubles each sum and adds its coordinates' tag, storing to buffer 0, whose sizes are in buffer 1.
unsafe extern "C" fn tagged(
    ctx: *const Ctx,
    outer: usize,
    acc: *mut f32,
    ld: usize,
    i: usize,
    j: usize,
    rows: usize,
    cols: usize,
    scratch: *mut u8,
) {
    // SAFETY: `run` below hands over buffers of these types and sizes; the scratch has 256 bytes.
    unsafe {
        let out = (*(*ctx).buffers).cast::<f32>();
        let [m, n] = *(*(*ctx).buffers.add(1)).cast::<[usize; 2]>();
        scratch.write_bytes(0xff, 256);
        for r in 0..rows {
            for c in 0..cols {
                let x = acc.add(r * ld + c);
                *x = tag(*x, i + r, j + c);
                *out.add((outer * m + i + r) * n + j + c) += *x;
            }
        }
    }
}

fn tag(x: f32, i: usize, j: usize) -> f32 {
    2.0 * x + (i * 3 + j) as f32
}

fn run(gemm: &Gemm, team: &Team, a: &Matrix, b: &Matrix) -> Vec<f32> {
    let p = gemm.problem();
    let ldc = match p.out {
        Out::Store { ldc } => ldc,
        Out::Epilogue(_) => p.n,
    };
    let stride = p.m * ldc;
    let mut out = vec![0f32; p.batch * stride];
    let mut sizes = [p.m, p.n];
    let buffers = [out.as_mut_ptr().cast::<u8>(), sizes.as_mut_ptr().cast()];
    let mut workspace = vec![f32::NAN; gemm.workspace_bytes() / 4];
    let ctx = Ctx {
        buffers: buffers.as_ptr(),
        seed: 0,
        step: 0,
        team: (&raw const *team).cast(),
        workspace: workspace.as_mut_ptr().cast(),
    };
    // SAFETY: everything is alive and as large as the problem says.
    unsafe { mlc_gemm(&ctx, gemm, a.base(), b.base(), out.as_mut_ptr()) };
    let mut dense = Vec::with_capacity(p.batch * p.m * p.n);
    for e in 0..p.batch {
        let entry = match p.out {
            Out::Store { .. } => p.batch_out.at(e) as usize,
            Out::Epilogue(_) => e * stride,
        };
        for i in 0..p.m {
            let row = &out[entry + i * ldc..][..ldc];
            dense.extend_from_slice(&row[..p.n]);
            assert!(row[p.n..].iter().all(|x| *x == 0.0), "nothing is stored between rows");
        }
    }
    dense
}

/// Checks one shape and layout with every instruction set, team and kind of result.
fn check(teams: &[Team], batch: usize, m: usize, n: usize, k: usize, la: Layout, lb: Layout) {
    let (a, b) = (matrix(la, batch, m, k, 1), matrix(lb, batch, n, k, 2));
    let chains = chains(batch, m, n, k, &a, &b);
    for (isa, Chain { precision, sums: want }) in
        Isa::all().flat_map(|isa| chains.iter().map(move |c| (isa, c)))
    {
        let precision = *precision;
        for store in [true, false] {
            let out = if store { Out::Store { ldc: n + 3 } } else { Out::Epilogue(tagged) };
            let (batch_lhs, batch_rhs) = (a.batch.clone(), b.batch.clone());
            let (lhs, rhs) = (a.operand.clone(), b.operand.clone());
            let size = m * (n + 3);
            let batch_out = match batch % 2 {
                0 => Offsets::Stride(size as isize),
                _ => table((0..batch).rev().map(|b| (b * size) as i32).collect()),
            };
            let streams = match out {
                Out::Store { .. } => Vec::new(),
                Out::Epilogue(_) => vec![Stream {
                    slot: 0,
                    offset: 0,
                    batch: Offsets::Stride((m * n) as isize),
                    rows: Offsets::Stride(n as isize),
                }],
            };
            let problem = Problem {
                batch,
                m,
                n,
                k,
                precision,
                lhs,
                rhs,
                batch_lhs,
                batch_rhs,
                batch_out,
                out,
                streams,
            };
            let gemm = Gemm::new(problem, isa, 2);
            for team in teams {
                let got = run(&gemm, team, &a, &b);
                for (at, (got, want)) in got.iter().zip(want).enumerate() {
                    let (i, j) = (at / n % m, at % n);
                    let want = if store { *want } else { tag(*want, i, j) };
                    assert_eq!(
                        got.to_bits(),
                        want.to_bits(),
                        "{batch}x({m},{n},{k}) {la:?} {lb:?} [{}], {} threads, element {at}",
                        gemm.describe(),
                        team.threads()
                    );
                }
            }
        }
    }
}

/// Scratch for the largest plan below and the epilogue's 256 bytes.
fn teams() -> Vec<Team> {
    (1..=3).map(|threads| Team::new(threads, 16 << 20)).collect()
}

#[test]
fn every_layout_gives_the_chain() {
    let teams = teams();
    for la in LAYOUTS {
        for lb in LAYOUTS {
            for (m, n, k) in [(1, 1, 1), (5, 17, 3), (33, 50, 65), (17, 7, 40), (40, 120, 35), (60, 40, 50)] {
                check(&teams, 1, m, n, k, la, lb);
            }
        }
    }
}

#[test]
fn odd_sizes_give_the_chain() {
    let teams = teams();
    for m in [1, 2, 13, 14, 15, 25, 29] {
        for n in [1, 3, 8, 9, 16, 17, 31, 32, 33] {
            for k in [1, 5, 18] {
                check(&teams, 1, m, n, k, Layout::Rows, Layout::Columns);
            }
        }
    }
}

#[test]
fn batches_give_the_chain() {
    let teams = teams();
    for (batch, m, n, k) in [(2, 5, 9, 4), (5, 33, 40, 20), (3, 130, 64, 40), (12, 64, 64, 16)] {
        for (la, lb) in
            [(Layout::Rows, Layout::Columns), (Layout::Rows, Layout::Rows), (Layout::Tables, Layout::Spread)]
        {
            check(&teams, batch, m, n, k, la, lb);
        }
    }
}

#[test]
fn shared_and_blocked_products_give_the_chain() {
    let teams = teams();
    // Long k comes in blocks, with and without packing and turning.
    for (m, n, k) in
        [(9, 20, 4500), (40, 24, 2100), (30, 40, 4500), (20, 700, 40), (300, 70, 40), (130, 40, 100)]
    {
        for (la, lb) in [
            (Layout::Rows, Layout::Columns),
            (Layout::Columns, Layout::Columns),
            (Layout::Rows, Layout::Rows),
            (Layout::RowTable, Layout::Tables),
            (Layout::Wide, Layout::Columns),
            (Layout::Image, Layout::Image),
        ] {
            check(&teams, 1, m, n, k, la, lb);
        }
    }
}

#[test]
fn rows_that_share_cache_sets_are_packed() {
    check(&teams(), 1, 30, 130, 1024, Layout::Rows, Layout::Columns);
}

#[test]
fn empty_products_store_nothing_or_zero() {
    let teams = teams();
    for (batch, m, n, k) in
        [(0, 3, 3, 3), (1, 0, 3, 3), (1, 3, 0, 3), (2, 3, 5, 0), (1, 0, 99, 999), (1, 99, 0, 999)]
    {
        check(&teams, batch, m, n, k, Layout::Rows, Layout::Columns);
    }
}

#[test]
fn plans_say_what_they_do() {
    let plan = |m: usize, n: usize, k: usize, lb: Layout| {
        let (a, b) = (matrix(Layout::Rows, 1, 1, 1, 2), matrix(lb, 1, n, k, 2));
        let lhs = Operand { rows: Offsets::Stride(k as isize), ..a.operand };
        let out = Out::Store { ldc: n };
        let (batch_lhs, batch_rhs) = (a.batch, b.batch);
        let batch_out = Offsets::Stride(0);
        let problem = Problem {
            batch: 1,
            m,
            n,
            k,
            precision: Precision::F32,
            lhs,
            rhs: b.operand,
            batch_lhs,
            batch_rhs,
            batch_out,
            out,
            streams: Vec::new(),
        };
        Gemm::new(problem, Isa::Portable, 2).describe()
    };
    assert_eq!(plan(4, 8, 10, Layout::Columns), "4x8 tiles (portable), 1 thread");
    assert_eq!(
        plan(4, 800, 50, Layout::Rows),
        "4x4 tiles (portable), transposed, B packed by each task, 1 thread"
    );
    assert_eq!(plan(600, 64, 64, Layout::Columns), "4x8 tiles (portable), B packed, 12 tasks on 2 threads");
}

#[test]
fn numbers_are_rounded_to_bf16_everywhere_alike() {
    let mut seen: Vec<f32> = (0..=u16::MAX).map(|half| f32::from_bits(u32::from(half) << 16)).collect();
    // Beside and between neighbours, of all exponents.
    for low in [1, 0x7fff, 0x8000, 0x8001, 0xffff] {
        seen.extend((0..=u16::MAX).step_by(7).map(|half| f32::from_bits(u32::from(half) << 16 | low)));
    }
    let ones = vec![1f32; seen.len()];
    let matrix = |data: &[f32]| Matrix {
        data: data.to_vec(),
        operand: Operand { rows: Offsets::Stride(1), ks: Offsets::Stride(0) },
        batch: Offsets::Stride(0),
    };
    let (a, b) = (matrix(&seen), matrix(&ones[..1]));
    let teams = teams();
    for isa in Isa::all() {
        let problem = Problem {
            batch: 1,
            m: seen.len(),
            n: 1,
            k: 1,
            precision: Precision::Bf16,
            lhs: a.operand.clone(),
            rhs: b.operand.clone(),
            batch_lhs: Offsets::Stride(0),
            batch_rhs: Offsets::Stride(0),
            batch_out: Offsets::Stride(0),
            out: Out::Store { ldc: 1 },
            streams: Vec::new(),
        };
        let got = run(&Gemm::new(problem, isa, 1), &teams[0], &a, &b);
        for (x, got) in seen.iter().zip(got) {
            // A sum starts from 0, which takes the sign from a 0.
            let want = as_seen(Precision::Bf16, *x) + 0.0;
            let same = want.to_bits() == got.to_bits() || (want.is_nan() && got.is_nan());
            assert!(same, "{isa}: {x:e} ({:#010x}) gives {got:e}, not {want:e}", x.to_bits());
        }
    }
}
