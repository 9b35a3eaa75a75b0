//! Operands as pairs of `bf16`, for the instruction that multiplies two of them in each lane.
//!
//! A word holds the numbers of two neighbouring k, rounded, the first in its upper half; beyond the last k is a 0.
//! `vdpbf16ps` adds the product of the upper halves, then that of the lower ones, and rounds after each (Intel SDM, vol. 2;
//! products of two `bf16` are exact). So a sum is the chain that it is everywhere: in order of k.

use super::pack::{self, Block, turn};
use super::{Offsets, Operand};
use crate::isa::Isa;

/// Values of k that pass through [`TEMP`] together.
const TOGETHER: usize = 64;
/// Rows of a block at most.
const MOST_ROWS: usize = 32;
/// Values of k ahead of a copy that are called for.
const AHEAD: isize = 64;
/// The same where rows are copied whole.
const ROWS_AHEAD: isize = 12;
/// Numbers that packing needs for itself.
pub const TEMP: usize = TOGETHER * MOST_ROWS;

/// Whether the processor multiplies pairs, and faster so than one by one.
#[cfg(target_arch = "x86_64")]
pub fn are_fast(isa: Isa) -> bool {
    isa == Isa::Avx512 && is_x86_feature_detected!("avx512bf16") && !words::has_amx()
}

#[cfg(not(target_arch = "x86_64"))]
pub fn are_fast(_: Isa) -> bool {
    false
}

/// Whether the numbers of a row lie side by side, in pairs that no run cuts apart.
pub fn lie_along_k(operand: &Operand) -> bool {
    match &operand.ks {
        Offsets::Stride(step) => *step == 1,
        Offsets::Runs { len, step, .. } => *step == 1 && len.is_multiple_of(2),
    }
}

/// An operand whose numbers are paired where they lie, all of them once, since tiles would pair each several times.
pub struct Whole {
    /// As tiles read it: words in the place of numbers, pairs in the place of k.
    pub operand: Operand,
    pub batch: Offsets,
    /// From the first to the last.
    pub numbers: usize,
}

/// Numbers that a task pairs.
const PIECE: usize = 32 * 1024;

impl Whole {
    /// None if a pair would be cut apart, or if it does not pay: each number should be seen through several windows.
    pub fn of(operand: &Operand, batch: &Offsets, [entries, rows, ks]: [usize; 3]) -> Option<Whole> {
        if !lie_along_k(operand) || !ks.is_multiple_of(2) {
            return None;
        }
        let numbers = reach(batch, entries)? + reach(&operand.rows, rows)? + reach(&operand.ks, ks)? + 1;
        if numbers % 2 == 1 || entries * rows * ks < 2 * numbers {
            return None;
        }
        let ks = match &operand.ks {
            Offsets::Stride(step) => Offsets::Stride(*step),
            Offsets::Runs { starts, len, step } => {
                let starts =
                    starts.iter().map(|&at| half(at as isize).map(|at| at as i32)).collect::<Option<_>>()?;
                Offsets::Runs { starts, len: len / 2, step: *step }
            }
        };
        let operand = Operand { rows: halved(&operand.rows)?, ks };
        Some(Whole { operand, batch: halved(batch)?, numbers })
    }

    pub fn words(&self) -> usize {
        self.numbers / 2
    }

    pub fn pieces(&self) -> usize {
        self.numbers.div_ceil(PIECE)
    }

    /// Pairs one piece of what lies from `src` on.
    ///
    /// # Safety
    /// The numbers are readable, `dst` is writable for the words, and pairs [are fast](are_fast).
    pub unsafe fn pack(&self, piece: usize, src: *const f32, dst: *mut f32) {
        let from = piece * PIECE;
        let count = PIECE.min(self.numbers - from);
        // SAFETY: the caller's promise.
        unsafe { words::halve(src.wrapping_add(from), &[0], count, dst.wrapping_add(from / 2), 0) };
    }
}

/// The largest of so many offsets; none if one is negative.
fn reach(offsets: &Offsets, count: usize) -> Option<usize> {
    let last = count.saturating_sub(1);
    let most = match offsets {
        Offsets::Stride(step) => last as isize * step,
        Offsets::Runs { starts, len, step } => {
            if starts.iter().any(|&at| at < 0) || *step < 0 {
                return None;
            }
            let most = starts.iter().copied().max().unwrap_or(0) as isize;
            most + (len - 1).min(last) as isize * step
        }
    };
    usize::try_from(most).ok()
}

/// Offsets in words; none if one is odd.
fn halved(offsets: &Offsets) -> Option<Offsets> {
    Some(match offsets {
        Offsets::Stride(step) => Offsets::Stride(half(*step)?),
        Offsets::Runs { starts, len, step } => Offsets::Runs {
            starts: starts.iter().map(|&at| half(at as isize).map(|at| at as i32)).collect::<Option<_>>()?,
            len: *len,
            step: half(*step)?,
        },
    })
}

fn half(at: isize) -> Option<isize> {
    (at % 2 == 0).then_some(at / 2)
}

/// `dst[p * ld + i]` = pair `p` of row `i` of the block. Its k is even.
///
/// # Safety
/// The block, of at most [`MOST_ROWS`] rows, is readable from `base` through `operand`; `dst` is writable there, `temp` for
/// [`TEMP`] numbers; pairs [are fast](are_fast).
pub unsafe fn pack(
    operand: &Operand,
    base: *const f32,
    block: Block,
    dst: *mut f32,
    ld: usize,
    temp: *mut f32,
) {
    let isa = Isa::Avx512;
    for from in (0..block.ks).step_by(TOGETHER) {
        let part = Block { k: block.k + from, ks: TOGETHER.min(block.ks - from), ..block };
        let (words, dst) = (part.ks.div_ceil(2), dst.wrapping_add(from / 2 * ld));
        let (in_run, step) = operand.rows.run(part.row, part.row + part.rows);
        // SAFETY: the caller's promise; a part fits in `temp`.
        unsafe {
            match operand.ks {
                _ if lie_along_k(operand) => {
                    pack_along_k(operand, base, part, temp, words);
                    turn(isa, temp, words, part.rows, words, dst, ld);
                }
                Offsets::Stride(apart) if in_run == part.rows && (step == 1 || in_run == 1) => {
                    let src = base.wrapping_offset(operand.rows.at(part.row) + part.k as isize * apart);
                    words::join(src, apart, part.rows, part.ks, dst, ld);
                }
                Offsets::Stride(_) | Offsets::Runs { .. } => {
                    pack::pack(isa, operand, base, part, temp, part.rows);
                    words::join(temp, part.rows as isize, part.rows, part.ks, dst, ld);
                }
            }
        }
    }
}

/// `dst[i * ld + p]` = pair `p` of row `i` of the block, of an operand that [lies along k](lie_along_k).
///
/// # Safety
/// As [`pack`].
pub unsafe fn pack_along_k(operand: &Operand, base: *const f32, block: Block, dst: *mut f32, ld: usize) {
    assert!(block.rows <= MOST_ROWS && block.k.is_multiple_of(2), "gemm: pairs of a tile's rows");
    let mut rows = [0; MOST_ROWS];
    for (i, at) in rows[..block.rows].iter_mut().enumerate() {
        *at = operand.rows.at(block.row + i);
    }
    let (mut k, end) = (block.k, block.k + block.ks);
    while k < end {
        let (count, _) = operand.ks.run(k, end);
        let (src, dst) = (base.wrapping_offset(operand.ks.at(k)), dst.wrapping_add((k - block.k) / 2));
        // SAFETY: the caller's promise, for one run of k.
        unsafe { words::halve(src, &rows[..block.rows], count, dst, ld) };
        k += count;
    }
}

/// `cols` numbers from `src` on, and as many `step` further for each k, as panels of pairs, `panel` wide, one behind the
/// other. Rows are read whole: where they lie a power of two apart, lines that wait for the next panel would not stay.
///
/// # Safety
/// They are readable; `dst` is writable for whole panels; pairs [are fast](are_fast).
pub unsafe fn join_panels(src: *const f32, step: isize, ks: usize, cols: usize, dst: *mut f32, panel: usize) {
    // Whole rows, two by two.
    for k in (0..ks).step_by(2) {
        let (src, dst) = (src.wrapping_offset(k as isize * step), dst.wrapping_add(k / 2 * panel));
        // SAFETY: the caller's promise.
        unsafe { words::join_row(src, step, k + 1 < ks, cols, dst, panel, panel * ks.div_ceil(2)) };
    }
}

#[cfg(target_arch = "x86_64")]
pub use words::add_products;

/// The instructions.
#[cfg(target_arch = "x86_64")]
mod words {
    use super::{AHEAD, ROWS_AHEAD};
    use crate::simd::prefetch;
    use std::arch::x86_64::*;

    /// Processors with AMX tiles leave `bf16` to these: their `vdpbf16ps` was slower than `f32` (75 to 79 GFLOP/s beside
    /// 126).
    pub fn has_amx() -> bool {
        const AMX_BF16: u32 = 1 << 22;
        __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & AMX_BF16 != 0
    }

    /// The first `n` of sixteen lanes.
    fn first(n: usize) -> __mmask16 {
        if n >= 16 { 0xffff } else { (1 << n) - 1 }
    }

    /// `dst[i * ld + p]` = the pair of `src[rows[i] + 2 p]` and the number behind it, of `count` numbers.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma")]
    pub unsafe fn halve(src: *const f32, rows: &[isize], count: usize, dst: *mut f32, ld: usize) {
        for (i, &row) in rows.iter().enumerate() {
            let (src, dst) = (src.wrapping_offset(row), dst.wrapping_add(i * ld));
            for c in (0..count).step_by(32) {
                let left = count - c;
                // SAFETY: the promise of `pack_along_k`; masked lanes are not touched.
                unsafe {
                    let low = _mm512_maskz_loadu_ps(first(left), src.add(c));
                    let high =
                        _mm512_maskz_loadu_ps(first(left.saturating_sub(16)), src.wrapping_add(c + 16));
                    let words = bits(_mm512_cvtne2ps_pbh(high, low));
                    let words = _mm512_castsi512_ps(_mm512_rol_epi32::<16>(words));
                    _mm512_mask_storeu_ps(dst.add(c / 2), first(left.div_ceil(2)), words);
                }
            }
        }
    }

    /// Word j takes number j of the second row below and of the first above.
    #[target_feature(enable = "avx512f")]
    fn order() -> __m512i {
        let mut order = [0u16; 32];
        for (at, from) in order.iter_mut().enumerate() {
            *from = (at / 2 + if at % 2 == 0 { 0 } else { 16 }) as u16;
        }
        // SAFETY: the array has 64 bytes.
        unsafe { _mm512_loadu_si512(order.as_ptr().cast()) }
    }

    /// The pairs of `src[i]` and, if there is a second row, `src[step + i]`, for `i < cols`: to `dst`, each panel `panel_step`
    /// behind the one before.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma")]
    pub unsafe fn join_row(
        src: *const f32,
        step: isize,
        has_second: bool,
        cols: usize,
        dst: *mut f32,
        panel: usize,
        panel_step: usize,
    ) {
        let order = order();
        let second = src.wrapping_offset(step);
        for first_col in (0..cols).step_by(panel) {
            let dst = dst.wrapping_add(first_col / panel * panel_step);
            let width = panel.min(cols - first_col);
            for i in (0..width).step_by(16) {
                let (part, at) = (first(width - i), first_col + i);
                prefetch(src.wrapping_offset(ROWS_AHEAD * step).wrapping_add(at));
                prefetch(second.wrapping_offset(ROWS_AHEAD * step).wrapping_add(at));
                // SAFETY: the promise of `join_panels`; masked lanes are not touched.
                unsafe {
                    let upper = _mm512_maskz_loadu_ps(part, src.add(at));
                    let lower = if has_second { part } else { 0 };
                    let lower = _mm512_maskz_loadu_ps(lower, second.wrapping_add(at));
                    let halves = bits(_mm512_cvtne2ps_pbh(upper, lower));
                    let words = _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, halves));
                    _mm512_mask_storeu_ps(dst.add(i), part, words);
                }
            }
        }
    }

    /// `dst[p * ld + i]` = the pair of `src[2 p * lds + i]` and `src[(2 p + 1) * lds + i]`, of `count` numbers each `lds` apart.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma")]
    pub unsafe fn join(src: *const f32, lds: isize, rows: usize, count: usize, dst: *mut f32, ld: usize) {
        let order = order();
        for p in 0..count.div_ceil(2) {
            let (src, dst) = (src.wrapping_offset(2 * p as isize * lds), dst.wrapping_add(p * ld));
            let has_second = 2 * p + 1 < count;
            for i in (0..rows).step_by(16) {
                let part = first(rows - i);
                // SAFETY: the promise of `pack`; masked lanes are not touched.
                unsafe {
                    prefetch(src.wrapping_offset(AHEAD * lds).wrapping_add(i));
                    prefetch(src.wrapping_offset((AHEAD + 1) * lds).wrapping_add(i));
                    let upper = _mm512_maskz_loadu_ps(part, src.add(i));
                    let lower = if has_second { part } else { 0 };
                    let lower = _mm512_maskz_loadu_ps(lower, src.wrapping_offset(lds).wrapping_add(i));
                    let halves = bits(_mm512_cvtne2ps_pbh(upper, lower));
                    let words = _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, halves));
                    _mm512_mask_storeu_ps(dst.add(i), part, words);
                }
            }
        }
    }

    #[inline(always)]
    fn bits(x: __m512bh) -> __m512i {
        // SAFETY: both are 64 bytes, and any bits are fine.
        unsafe { std::mem::transmute(x) }
    }

    /// `sum` and the products of the pairs in each lane, those of the upper halves first.
    ///
    /// # Safety
    /// Pairs [are fast](are_fast).
    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    pub unsafe fn add_products(a: __m512, b: __m512, sum: __m512) -> __m512 {
        // SAFETY: all are 64 bytes, and any bits are fine.
        let [a, b]: [__m512bh; 2] = unsafe { std::mem::transmute([a, b]) };
        _mm512_dpbf16_ps(sum, a, b)
    }
}

/// Where nothing multiplies pairs, nothing packs them.
#[cfg(not(target_arch = "x86_64"))]
mod words {
    pub unsafe fn halve(_: *const f32, _: &[isize], _: usize, _: *mut f32, _: usize) {
        unreachable!("gemm: pairs are packed where they are multiplied")
    }

    pub unsafe fn join_row(_: *const f32, _: isize, _: bool, _: usize, _: *mut f32, _: usize, _: usize) {
        unreachable!("gemm: pairs are packed where they are multiplied")
    }

    pub unsafe fn join(_: *const f32, _: isize, _: usize, _: usize, _: *mut f32, _: usize) {
        unreachable!("gemm: pairs are packed where they are multiplied")
    }
}
