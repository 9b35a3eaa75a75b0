//! Matrix products: `out[b, i, j] = sum over k of lhs[b, i, k] * rhs[b, k, j]`.
//!
//! Every element is ONE chain of fused multiply-adds in order of `k`, starting from 0.0, of operands as they are or
//! rounded ([`Precision`]): the same
//! bits on every instruction set, for every tiling and every number of threads. Blocking over `k`
//! keeps this, since a block goes on from the sums that the last one left.
//!
//! A [`Gemm`] is made once, when a program is compiled, from the shape and the way its operands lie
//! in memory; [`mlc_gemm`] then runs it without allocating.

mod pack;
mod pairs;
mod plan;
mod run;
#[cfg(test)]
mod tests;
mod tile;

use crate::abi::EpilogueFn;
use crate::isa::Isa;
use plan::Plan;

pub use run::mlc_gemm;

/// Where the entries of one index lie, in elements from a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offsets {
    /// Entry `i` lies at `i * stride`.
    Stride(isize),
    /// Entry `i` lies at `starts[i / len] + i % len * step`: runs of equal steps, as the lines of an image
    /// are, for index groups that no single stride describes.
    Runs { starts: Vec<i32>, len: usize, step: isize },
}

impl Offsets {
    pub fn at(&self, i: usize) -> isize {
        match self {
            Offsets::Stride(stride) => i as isize * stride,
            Offsets::Runs { starts, len, step } => starts[i / len] as isize + (i % len) as isize * step,
        }
    }

    /// How many entries from `from` on, up to `end`, are in one run, and how far apart.
    fn run(&self, from: usize, end: usize) -> (usize, isize) {
        match self {
            Offsets::Stride(step) => (end - from, *step),
            Offsets::Runs { len, step, .. } => ((len - from % len).min(end - from), *step),
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

/// What becomes of operands before they are multiplied. Sums are `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Nothing.
    F32,
    /// They are rounded to the nearest `bf16`, ties to even; denormal numbers to 0.
    Bf16,
}

/// What becomes of the sums.
#[derive(Clone, Copy, Debug)]
pub enum Out {
    /// `out[batch_out.at(b) + i * ldc + j]`
    Store { ldc: usize },
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
    pub precision: Precision,
    /// Its rows are the `m` index.
    pub lhs: Operand,
    /// Its rows are the `n` index.
    pub rhs: Operand,
    pub batch_lhs: Offsets,
    pub batch_rhs: Offsets,
    /// Where entries of a stored result begin.
    pub batch_out: Offsets,
    pub out: Out,
    /// What an epilogue reads and writes, as far as it should be near before it comes.
    pub streams: Vec<Stream>,
}

/// A matrix that lies as the result does: element `(b, i, j)` at
/// `buffers[slot][offset + batch.at(b) + rows.at(i) + j]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// In the table of addresses of the context.
    pub slot: usize,
    pub offset: isize,
    pub batch: Offsets,
    pub rows: Offsets,
}

/// A product with its plan: built once, immovable while generated code holds its address.
pub struct Gemm {
    problem: Problem,
    plan: Plan,
    threads: usize,
}

impl Gemm {
    /// Plans a product. `threads` only serves [`describe`](Gemm::describe): the cut depends on the
    /// shape alone.
    pub fn new(problem: Problem, isa: Isa, threads: usize) -> Gemm {
        assert!(isa.is_available(), "{isa} was chosen on a processor without it");
        let plan = Plan::new(&problem, isa);
        Gemm { problem, plan, threads }
    }

    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The plan for people: `14x32 tiles (avx512), B packed, 8 tasks on 2 threads`.
    pub fn describe(&self) -> String {
        self.plan.describe(self.problem.batch, self.threads)
    }

    /// Bytes of `ctx.workspace` that a run uses. Free for others between runs.
    pub fn workspace_bytes(&self) -> usize {
        self.plan.workspace(self.problem.batch) * size_of::<f32>()
    }

    /// Bytes of each thread's scratch that a run keeps for itself, a multiple of 128. An epilogue
    /// is handed the scratch after them, so a team's scratch is the largest sum of both.
    pub fn scratch_bytes(&self) -> usize {
        self.plan.scratch.end * size_of::<f32>()
    }
}
