//! Copies a block of an operand so that the tile reads it straight through.

use super::{Offsets, Operand};
use crate::isa::Isa;
use crate::simd::{Simd, prefetch, with_simd};

/// A block of an operand: `rows` rows from `row` on, at `ks` values of k from `k` on.
#[derive(Clone, Copy)]
pub struct Block {
    pub row: usize,
    pub rows: usize,
    pub k: usize,
    pub ks: usize,
}

/// `dst[k * ld + i]` = the element of the block at row `i` and `k`; nothing else is written.
///
/// Rows come in runs of equal steps, as the places along a line of an image do, and so do values of k,
/// as the channels that a place sees. Rows side by side are copied, values of k side by side turned.
///
/// # Safety
/// The block is readable from `base` through `operand`; `dst` is writable there; `isa` is available.
pub unsafe fn pack(isa: Isa, operand: &Operand, base: *const f32, block: Block, dst: *mut f32, ld: usize) {
    let end = block.row + block.rows;
    let mut row = block.row;
    while row < end {
        let (rows, step) = operand.rows.run(row, end);
        let (src, dst) = (base.wrapping_offset(operand.rows.at(row)), dst.wrapping_add(row - block.row));
        // SAFETY (both): the caller's promise, for these rows.
        if step == 1 || rows == 1 {
            unsafe { copy(isa, src, &operand.ks, block.k, block.ks, rows, dst, ld) };
        } else {
            unsafe { turn_runs(isa, src, step, rows, &operand.ks, block, dst, ld) };
        }
        row += rows;
    }
}

/// Rows ahead of a copy that are called for.
const AHEAD: isize = 64;
/// Values of k side by side that are worth turning together.
const SHORT: usize = 4;

/// Rows `step` apart, at the block's values of k.
#[allow(clippy::too_many_arguments, reason = "a loop body with a name")]
unsafe fn turn_runs(
    isa: Isa,
    src: *const f32,
    step: isize,
    rows: usize,
    ks: &Offsets,
    block: Block,
    dst: *mut f32,
    ld: usize,
) {
    let (mut k, end) = (block.k, block.k + block.ks);
    while k < end {
        let (count, apart) = ks.run(k, end);
        let (src, dst) = (src.wrapping_offset(ks.at(k)), dst.wrapping_add((k - block.k) * ld));
        let sides = apart == 1 && count >= SHORT;
        // SAFETY: the promise of `pack`.
        unsafe {
            match usize::try_from(step) {
                Ok(step) if sides => turn(isa, src, step, rows, count, dst, ld),
                Ok(_) | Err(_) => {
                    for (c, r) in (0..count).flat_map(|c| (0..rows).map(move |r| (c, r))) {
                        *dst.add(c * ld + r) = *src.offset(r as isize * step + c as isize * apart);
                    }
                }
            }
        }
        k += count;
    }
}

/// `dst[k * ld + i] = src[ks.at(from + k) + i]` for `i < n`, `k < count`.
#[allow(clippy::too_many_arguments, reason = "a loop body with a name")]
unsafe fn copy(
    isa: Isa,
    src: *const f32,
    ks: &Offsets,
    from: usize,
    count: usize,
    n: usize,
    dst: *mut f32,
    ld: usize,
) {
    let (starts, len, step) = match ks {
        Offsets::Stride(step) => (std::ptr::null(), usize::MAX, *step),
        Offsets::Runs { starts, len, step } => (starts[from / len..].as_ptr(), *len, *step),
    };
    let first = from % len;
    // SAFETY: the promise of `pack`.
    unsafe {
        with_simd!(isa, [], copy_body(
            src: *const f32, starts: *const i32, len: usize, first: usize, step: isize,
            count: usize, n: usize, dst: *mut f32, ld: usize,
        ))
    }
}

/// Values of k from number `first` of a run of `len` on; without `starts` there is but one run, from `src` on.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a loop body with a name")]
unsafe fn copy_body<S: Simd>(
    s: S,
    src: *const f32,
    mut starts: *const i32,
    len: usize,
    mut first: usize,
    step: isize,
    count: usize,
    n: usize,
    mut dst: *mut f32,
    ld: usize,
) {
    let mut left = count;
    while left > 0 {
        let together = (len - first).min(left);
        // SAFETY: the promise of `pack`; there is a start for each run.
        unsafe {
            let mut src = src.offset(first as isize * step);
            if !starts.is_null() {
                src = src.offset(*starts as isize);
                starts = starts.wrapping_add(1);
            }
            for _ in 0..together {
                let ahead = src.wrapping_offset(AHEAD * step);
                for i in (0..n).step_by(S::LANES) {
                    prefetch(ahead.wrapping_add(i));
                    let part = s.first(n - i);
                    s.store_part(part, dst.add(i), s.load_part(part, src.add(i)));
                }
                src = src.wrapping_offset(step);
                dst = dst.wrapping_add(ld);
            }
        }
        (first, left) = (0, left - together);
    }
}

/// Rounds `n` numbers to `bf16` where they lie.
///
/// # Safety
/// They are readable and writable; `isa` is available.
pub unsafe fn round(isa: Isa, at: *mut f32, n: usize) {
    // SAFETY: the caller's promise.
    unsafe { with_simd!(isa, [], round_body(at: *mut f32, n: usize)) }
}

#[inline(always)]
unsafe fn round_body<S: Simd>(s: S, at: *mut f32, n: usize) {
    for i in (0..n).step_by(S::LANES) {
        let part = s.first(n - i);
        // SAFETY: the promise of `round`.
        unsafe { s.store_part(part, at.add(i), s.to_bf16(s.load_part(part, at.add(i)))) };
    }
}

/// `dst[c * ldd + r] = src[r * lds + c]` for `r < rows`, `c < cols`.
///
/// # Safety
/// Those elements are readable and writable and do not overlap; `isa` is available.
pub unsafe fn turn(
    isa: Isa,
    src: *const f32,
    lds: usize,
    rows: usize,
    cols: usize,
    dst: *mut f32,
    ldd: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        with_simd!(isa, [], turn_body(
            src: *const f32, lds: usize, rows: usize, cols: usize, dst: *mut f32, ldd: usize,
        ))
    }
}

#[inline(always)]
unsafe fn turn_body<S: Simd>(
    s: S,
    src: *const f32,
    lds: usize,
    rows: usize,
    cols: usize,
    dst: *mut f32,
    ldd: usize,
) {
    for r in (0..rows).step_by(S::LANES) {
        for c in (0..cols).step_by(S::LANES) {
            let (rows, cols) = (S::LANES.min(rows - r), S::LANES.min(cols - c));
            // SAFETY: the caller's promise, for a block of at most `LANES` each way.
            unsafe { s.transpose(src.add(r * lds + c), lds, rows, cols, dst.add(c * ldd + r), ldd) };
        }
    }
}
