//! Copies a block of an operand so that the tile reads it straight through.

use super::{Offsets, Operand};
use crate::isa::Isa;
use crate::simd::{Simd, with_simd};

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
/// # Safety
/// The block is readable from `base` through `operand`; `dst` is writable there; `isa` is available.
pub unsafe fn pack(isa: Isa, operand: &Operand, base: *const f32, block: Block, dst: *mut f32, ld: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match (&operand.rows, &operand.ks) {
            (Offsets::Stride(1), ks) => {
                for k in 0..block.ks {
                    let src = base.offset(ks.at(block.k + k)).add(block.row);
                    copy(isa, src, block.rows, dst.add(k * ld));
                }
            }
            (rows, Offsets::Stride(1)) => {
                let group = super::tile::lanes(isa);
                for i in (0..block.rows).step_by(group) {
                    let group = group.min(block.rows - i);
                    match rows {
                        Offsets::Stride(step) if *step >= 0 => {
                            let src = base.offset(rows.at(block.row + i)).add(block.k);
                            turn(isa, src, *step as usize, group, block.ks, dst.add(i), ld);
                        }
                        Offsets::Stride(_) | Offsets::Table(_) => {
                            let row = Block { row: block.row + i, rows: group, ..block };
                            gather(operand, base, row, dst.add(i), ld);
                        }
                    }
                }
            }
            _ => gather(operand, base, block, dst, ld),
        }
    }
}

/// Any layout, one number at a time.
unsafe fn gather(operand: &Operand, base: *const f32, block: Block, dst: *mut f32, ld: usize) {
    for i in 0..block.rows {
        // SAFETY: the promise of `pack`.
        unsafe {
            let row = base.offset(operand.rows.at(block.row + i));
            match &operand.ks {
                Offsets::Stride(step) => {
                    for k in 0..block.ks {
                        *dst.add(k * ld + i) = *row.offset((block.k + k) as isize * step);
                    }
                }
                Offsets::Table(table) => {
                    for (k, at) in table[block.k..block.k + block.ks].iter().enumerate() {
                        *dst.add(k * ld + i) = *row.offset(*at as isize);
                    }
                }
            }
        }
    }
}

/// `dst[i] = src[i]` for `i < n`.
unsafe fn copy(isa: Isa, src: *const f32, n: usize, dst: *mut f32) {
    // SAFETY: the promise of `pack`.
    unsafe { with_simd!(isa, [], copy_body(src: *const f32, n: usize, dst: *mut f32)) }
}

#[inline(always)]
unsafe fn copy_body<S: Simd>(s: S, src: *const f32, n: usize, dst: *mut f32) {
    for i in (0..n).step_by(S::LANES) {
        let part = s.first(n - i);
        // SAFETY: the promise of `pack`, for the part that is left.
        unsafe { s.store_part(part, dst.add(i), s.load_part(part, src.add(i))) };
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
