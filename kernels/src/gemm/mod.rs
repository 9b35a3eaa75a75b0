//! Matrix products: `out[b, i, j] = sum over k of lhs[b, i, k] * rhs[b, k, j]`.
//!
//! Every element is ONE chain of fused multiply-adds in order of `k`, starting from 0.0: the same
//! bits on every instruction set, for every tiling and every number of threads. Blocking over `k`
//! keeps this, since a block goes on from the sums that the last one left.
//!
//! A [`Gemm`] is made once, when a program is compiled, from the shape and the way its operands lie
//! in memory; [`mlc_gemm`] then runs it without allocating.

use crate::abi::{Ctx, EpilogueFn};
use crate::isa::Isa;

/// Where the entries of one index lie, in elements from a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offsets {
    /// Entry `i` lies at `i * stride`.
    Stride(isize),
    /// Entry `i` lies at `table[i]`; for index groups that no single stride describes.
    Table(Vec<i32>),
}

impl Offsets {
    pub fn at(&self, i: usize) -> isize {
        match self {
            Offsets::Stride(stride) => i as isize * stride,
            Offsets::Table(table) => table[i] as isize,
        }
    }
}

/// How an operand lies in memory: the element of row (of `lhs`) or column (of `rhs`) `i` at `k` is
/// `base[rows.at(i) + ks.at(k)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    pub rows: Offsets,
    pub ks: Offsets,
}

/// What becomes of the sums.
#[derive(Clone, Copy, Debug)]
pub enum Out {
    /// `out[b * batch_stride + i * ldc + j]`
    Store { ldc: usize, batch_stride: usize },
    /// The generated function is called once for each finished tile, from any thread; the tiles
    /// cover each batch entry without overlap. `out` is not touched.
    Epilogue(EpilogueFn),
}

/// One product, or a batch of them.
#[derive(Clone, Debug)]
pub struct Problem {
    pub batch: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// Its rows are the `m` index.
    pub lhs: Operand,
    /// Its rows are the `n` index.
    pub rhs: Operand,
    pub batch_lhs: Offsets,
    pub batch_rhs: Offsets,
    pub out: Out,
}

/// A product with its plan: built once, immovable while generated code holds its address.
pub struct Gemm {
    pub problem: Problem,
    isa: Isa,
    threads: usize,
}

impl Gemm {
    pub fn new(problem: Problem, isa: Isa, threads: usize) -> Gemm {
        Gemm { problem, isa, threads }
    }

    /// The plan for people: `14x32 tiles, kc 512, B packed, 2 threads`.
    pub fn describe(&self) -> String {
        format!("scalar on {}, {} threads", self.isa, self.threads)
    }

    /// Bytes of `ctx.workspace` that a run uses. Free for others between runs.
    pub fn workspace_bytes(&self) -> usize {
        0
    }

    /// Bytes of each thread's scratch that a run keeps for itself, a multiple of 128. An epilogue
    /// is handed the scratch after them, so a team's scratch is the largest sum of both.
    pub fn scratch_bytes(&self) -> usize {
        128
    }
}

/// Runs a product.
///
/// # Safety
/// `gemm` is live; `lhs` and `rhs` are readable wherever its offsets lead; with [`Out::Store`]
/// `out` is writable there and overlaps neither. `ctx` is live with a `team` and a `workspace` of
/// at least what `gemm` asks for, and is what an epilogue expects. Not called from inside a task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlc_gemm(
    ctx: *const Ctx,
    gemm: *const Gemm,
    lhs: *const f32,
    rhs: *const f32,
    out: *mut f32,
) {
    // SAFETY: the caller's promises cover each access; the team's scratch holds the one number.
    unsafe {
        let (gemm, team) = (&*gemm, &*(*ctx).team.cast::<crate::team::Team>());
        let p = &gemm.problem;
        let job = (ctx as usize, lhs as usize, rhs as usize, out as usize);
        team.each(1, &|_, scratch| {
            let (ctx, lhs, rhs, out) =
                (job.0 as *const Ctx, job.1 as *const f32, job.2 as *const f32, job.3 as *mut f32);
            for (b, i, j) in (0..p.batch)
                .flat_map(|b| (0..p.m).map(move |i| (b, i)))
                .flat_map(|(b, i)| (0..p.n).map(move |j| (b, i, j)))
            {
                let x = lhs.offset(p.batch_lhs.at(b) + p.lhs.rows.at(i));
                let y = rhs.offset(p.batch_rhs.at(b) + p.rhs.rows.at(j));
                let sum = (0..p.k)
                    .fold(0f32, |sum, k| (*x.offset(p.lhs.ks.at(k))).mul_add(*y.offset(p.rhs.ks.at(k)), sum));
                match p.out {
                    Out::Store { ldc, batch_stride } => *out.add(b * batch_stride + i * ldc + j) = sum,
                    Out::Epilogue(f) => {
                        scratch.cast::<f32>().write(sum);
                        f(ctx, b, scratch.cast(), 1, i, j, 1, 1, scratch.add(128));
                    }
                }
            }
        });
    }
}
