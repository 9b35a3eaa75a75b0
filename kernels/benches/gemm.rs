//! Matrix products in GFLOP/s: `cargo bench -p mlc-kernels --bench gemm [-- FILTER]`.
//!
//! Prints the measured peak of fused multiply-adds first; each shape then on 1 and 2 threads, the
//! best and the median of interleaved rounds.

use mlc_kernels::abi::Ctx;
use mlc_kernels::gemm::{Gemm, Offsets, Operand, Out, Precision, Problem, mlc_gemm};
use mlc_kernels::{Isa, team::Team};
use std::hint::black_box;
use std::time::Instant;

/// Batch, m, n, k, whether A is stored transposed, whether B is.
type Shape = (usize, usize, usize, usize, bool, bool);

const SHAPES: &[Shape] = &[
    (1, 32, 128, 784, false, false),
    (1, 784, 128, 32, true, false),
    (1, 32, 10, 128, false, false),
    (1, 128, 10, 32, true, false),
    (1, 32, 128, 10, false, true),
    (1, 32, 784, 128, false, true),
    (1, 64, 512, 160, false, false),
    (1, 64, 20, 64, false, false),
    (1, 768, 128, 128, false, false),
    (1, 4096, 384, 384, false, false),
    (1, 4096, 1536, 384, false, false),
    (1, 4096, 384, 1536, false, false),
    (96, 256, 256, 64, false, false),
    (96, 256, 256, 64, false, true),
    (96, 256, 64, 256, false, false),
    (1, 36864, 64, 288, false, false),
    (1, 65536, 16, 144, false, false),
    (1, 1920, 16, 144, false, false),
    (1, 1920, 32, 288, false, false),
    (1, 8, 512, 288, false, false),
    (1, 2048, 2048, 2048, false, false),
    (1, 512, 128, 3136, true, false),
    (1, 128, 512, 3136, true, false),
    (1, 384, 1536, 4096, true, false),
    (1, 1536, 384, 4096, true, false),
    (1, 128, 512, 6400, true, false),
    (1, 128, 512, 768, true, false),
    (1, 128, 512, 32000, true, false),
    (1, 32, 512, 32000, true, false),
    (1, 128, 384, 3136, true, false),
    (1, 128, 8000, 2048, true, false),
    (1, 2048, 8000, 128, false, false),
    (96, 256, 64, 256, true, false),
    (256, 49, 32, 49, false, false),
];

/// Rounds, fewer for what takes longer than [`PATIENCE`] seconds.
const ROUNDS: usize = 101;
const PATIENCE: f64 = 1.0;
/// Seconds of work in one measurement.
const SPAN: f64 = 0.0005;

fn main() {
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let isa = Isa::current();
    println!("{isa}, peak {:.1} GFLOP/s on one core", peak(isa));
    let teams = [Team::new(1, 8 << 20), Team::new(2, 8 << 20)];
    for precision in [Precision::F32, Precision::Bf16] {
        for &shape in SHAPES {
            let name = name(shape, precision);
            if name.contains(&filter) {
                measure(&name, shape, precision, isa, &teams);
            }
        }
    }
}

fn name((batch, m, n, k, at, bt): Shape, precision: Precision) -> String {
    let rounded = if precision == Precision::Bf16 { " bf16" } else { "" };
    let batch = if batch > 1 { format!("{batch} x ") } else { String::new() };
    format!("{batch}{m},{n},{k}{}{}{rounded}", if at { " A^T" } else { "" }, if bt { " B^T" } else { "" })
}

fn measure(name: &str, (batch, m, n, k, at, bt): Shape, precision: Precision, isa: Isa, teams: &[Team]) {
    let strides = |rows: usize, turned: bool| {
        let (row, step) = if turned { (1, rows) } else { (k, 1) };
        Operand { rows: Offsets::Stride(row as isize), ks: Offsets::Stride(step as isize) }
    };
    let problem = Problem {
        batch,
        m,
        n,
        k,
        precision,
        lhs: strides(m, at),
        rhs: strides(n, !bt),
        batch_lhs: Offsets::Stride((m * k) as isize),
        batch_rhs: Offsets::Stride((n * k) as isize),
        batch_out: Offsets::Stride((m * n) as isize),
        out: Out::Store { ldc: n },
        streams: Vec::new(),
    };
    let gemm = Gemm::new(problem, isa, 2);
    let numbers = |n: usize, seed: u64| {
        let mut x = Buffer::new(n);
        mlc_kernels::rng::fill([1, 2], seed, 0, x.slice());
        x
    };
    let (mut a, mut b) = (numbers(batch * m * k, 1), numbers(batch * n * k, 2));
    let (mut c, mut space) = (numbers(batch * m * n, 3), numbers(gemm.workspace_bytes() / 4, 4));
    let flops = 2.0 * (batch * m * n * k) as f64;
    let repeats = ((SPAN * 1e11 / flops) as usize).clamp(1, 100_000);
    let mut times = vec![Vec::new(); teams.len()];
    let begin = Instant::now();
    for round in 0..ROUNDS {
        if round > 4 && begin.elapsed().as_secs_f64() > PATIENCE {
            break;
        }
        for (team, times) in teams.iter().zip(&mut times) {
            let ctx = Ctx {
                buffers: std::ptr::null(),
                seed: 0,
                step: 0,
                team: (&raw const *team).cast(),
                workspace: space.ptr().cast(),
            };
            let start = Instant::now();
            for _ in 0..repeats {
                // SAFETY: everything lives here and has the sizes of the problem.
                unsafe { mlc_gemm(&ctx, &gemm, a.ptr(), b.ptr(), c.ptr()) };
            }
            times.push(start.elapsed().as_secs_f64() / repeats as f64);
        }
    }
    let mut line = format!("{name:24}");
    for times in &mut times {
        times.sort_by(f64::total_cmp);
        line += &format!(" {:6.1} ({:6.1})", flops / times[0] * 1e-9, flops / times[times.len() / 2] * 1e-9);
    }
    println!("{line}  {:.1} us  {}", times[0][0] * 1e6, gemm.describe());
}

/// Numbers aligned to 128 bytes, as a program's buffers are.
struct Buffer {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    fn new(len: usize) -> Buffer {
        let data = vec![0f32; len + 32];
        let start = data.as_ptr().align_offset(128);
        Buffer { data, start, len }
    }

    fn slice(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
    }

    fn ptr(&mut self) -> *mut f32 {
        self.slice().as_mut_ptr()
    }
}

/// The rate of a product whose operands stay in the first cache, long enough to hide all else.
fn peak(isa: Isa) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 {
        return best_rate(|n| unsafe { fma512(n) });
    }
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx2 {
        return best_rate(|n| unsafe { fma256(n) });
    }
    let _ = isa;
    f64::NAN
}

fn best_rate(run: impl Fn(usize) -> f64) -> f64 {
    (0..20)
        .map(|_| {
            let start = Instant::now();
            let flops = run(200_000);
            flops / start.elapsed().as_secs_f64() * 1e-9
        })
        .fold(0.0, f64::max)
}

#[cfg(target_arch = "x86_64")]
macro_rules! fma_loop {
    ($name:ident, $feature:literal, $lanes:literal, $set:ident, $fma:ident) => {
        /// Runs `n` rounds of 24 independent multiply-adds; returns how many operations that was.
        #[target_feature(enable = $feature)]
        fn $name(n: usize) -> f64 {
            use std::arch::x86_64::*;
            const CHAINS: usize = if $lanes == 16 { 24 } else { 12 };
            let (x, y) = (black_box($set(0.5)), black_box($set(1.0)));
            let mut sums = [$set(1.0); CHAINS];
            for _ in 0..n {
                for sum in &mut sums {
                    *sum = $fma(*sum, x, y);
                }
            }
            black_box(sums);
            (n * CHAINS * $lanes * 2) as f64
        }
    };
}
#[cfg(target_arch = "x86_64")]
fma_loop!(fma512, "avx512f", 16, _mm512_set1_ps, _mm512_fmadd_ps);
#[cfg(target_arch = "x86_64")]
fma_loop!(fma256, "avx2,fma", 8, _mm256_set1_ps, _mm256_fmadd_ps);
