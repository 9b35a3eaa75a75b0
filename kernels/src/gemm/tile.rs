//! The innermost loops: a tile of sums held in registers.

#[cfg(target_arch = "x86_64")]
use super::pairs;
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::simd::Avx512;
use crate::simd::{Portable, Simd, prefetch, prefetch_far};
use std::arch::asm;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m512;

/// A row of register tiles: the same rows of `a` against several panels of `b`.
///
/// For each panel `p`, row `i` and column `j < width`:
/// `c[i * ldc + p * NR + j] (+)= sum over k of a[i * row_step + k * a_step] * b[p * panel_step + k * ldb + j]`,
/// where `NR` is the width of a full tile. Steps are in elements. With `runs`, k goes through runs of `run`
/// values, and `runs[r] + x * a_step` stands in the place of `k * a_step`.
pub struct Tile {
    pub k: usize,
    pub a: *const f32,
    /// 1 if the tile was made for unit rows.
    pub row_step: isize,
    pub a_step: isize,
    /// Where the runs begin, the current one first; null if all of k is one.
    pub runs: *const i32,
    pub run: usize,
    /// The number in its run of the first k.
    pub first: usize,
    pub b: *const f32,
    pub ldb: isize,
    pub panel_step: usize,
    pub panels: usize,
    /// Columns of each panel: a full tile's, unless there is but one panel.
    pub width: usize,
    /// Whether rows of `b` may be read to the tile's full width.
    pub b_is_padded: bool,
    /// Whether the sums go on from what `c` holds; otherwise they start at 0.
    pub go_on: bool,
    pub c: *mut f32,
    pub ldc: usize,
    /// The rows that come next, as they lie in memory, called for while the last panel runs; null if none are.
    pub next_a: *const f32,
    /// From one k to the next there if the tile was made for unit rows, else from row to row. With `runs` how many numbers
    /// the rows span in each run.
    pub next_step: isize,
    /// What is copied for the next block of k, called into the second cache while the first panel runs.
    pub ahead: Ahead,
}

/// Lines from `at` on for each k, `step` apart; null if none are called for.
#[derive(Clone, Copy)]
pub struct Ahead {
    pub at: *const f32,
    pub step: isize,
    pub lines: usize,
}

impl Ahead {
    pub const NONE: Ahead = Ahead { at: std::ptr::null(), step: 0, lines: 0 };

    /// Asks for the lines of `count` values of k from `k` on.
    #[inline(always)]
    fn call(&self, k: usize, count: usize) {
        for k in k..k + count {
            let at = self.at.wrapping_offset(k as isize * self.step);
            (0..self.lines).for_each(|line| prefetch_far(at.wrapping_add(line * LINE)));
        }
    }
}

/// Numbers of a line of the cache.
pub const LINE: usize = 16;

/// A tile compiled for one instruction set and size.
///
/// # Safety
/// To call it, all that the [`Tile`] names is readable (`a`, `b`) or writable (`c`), and the
/// processor has the instruction set.
pub type TileFn = unsafe fn(&Tile);

/// The largest tiles of an instruction set: rows for 1 vector and for 2. They leave registers for
/// a row of `b` and a broadcast.
pub fn most_rows(isa: Isa, vectors: usize) -> usize {
    match (isa, vectors) {
        (Isa::Avx512, 1) => 24,
        (Isa::Avx512, _) => 14,
        (Isa::Avx2, 1) => 12,
        (Isa::Avx2, _) => 6,
        (Isa::Neon, _) => 8,
        (Isa::Portable, _) => 4,
    }
}

pub fn lanes(isa: Isa) -> usize {
    match isa {
        Isa::Avx512 => 16,
        Isa::Avx2 => 8,
        Isa::Neon => 4,
        Isa::Portable => Portable::LANES,
    }
}

/// The tile of `rows` x `vectors`, for rows that lie next to each other if `unit`, of pairs of `bf16` if `pairs`.
pub fn find(isa: Isa, rows: usize, vectors: usize, unit: bool, pairs: bool) -> TileFn {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if pairs => avx512_pairs::find(rows, vectors, unit),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::find(rows, vectors, unit),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::find(rows, vectors, unit),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => neon::find(rows, vectors, unit),
        _ => portable::find(rows, vectors, unit),
    }
}

/// What a lane of each operand is.
trait Lane<S: Simd> {
    /// Values of k in it.
    const KS: usize;
    /// `sum` and the product, or products, of two lanes' numbers.
    ///
    /// # Safety
    /// The processor has the instruction.
    unsafe fn add_products(s: S, a: S::F, b: S::F, sum: S::F) -> S::F;
}

/// An `f32`.
struct Number;

impl<S: Simd> Lane<S> for Number {
    const KS: usize = 1;

    #[inline(always)]
    unsafe fn add_products(s: S, a: S::F, b: S::F, sum: S::F) -> S::F {
        s.fma(a, b, sum)
    }
}

/// Two `bf16`.
#[cfg(target_arch = "x86_64")]
struct Pair;

#[cfg(target_arch = "x86_64")]
impl Lane<Avx512> for Pair {
    const KS: usize = 2;

    #[inline(always)]
    unsafe fn add_products(_: Avx512, a: __m512, b: __m512, sum: __m512) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { pairs::add_products(a, b, sum) }
    }
}

#[inline(always)]
unsafe fn run<S: Simd, L: Lane<S>, const ROWS: usize, const VECTORS: usize, const UNIT: bool>(
    s: S,
    t: &Tile,
) {
    // SAFETY: the promise of [`TileFn`].
    unsafe {
        let tail = s.first(t.width - S::LANES * (VECTORS - 1));
        let rows = Rows::new(t);
        for panel in 0..t.panels {
            let b = t.b.add(panel * t.panel_step);
            let next_a = if panel + 1 == t.panels { t.next_a } else { std::ptr::null() };
            let calls_ahead = panel == 0 && !t.ahead.at.is_null();
            let c = t.c.add(panel * VECTORS * S::LANES);
            let mut sums = [[s.splat(0.0); VECTORS]; ROWS];
            if t.go_on {
                for (i, row) in sums.iter_mut().enumerate() {
                    for (j, sum) in row.iter_mut().enumerate() {
                        let at = c.add(i * t.ldc + j * S::LANES);
                        *sum = if j == VECTORS - 1 { s.load_part(tail, at) } else { s.load(at) };
                    }
                }
            }
            // A masked load costs a slot that multiply-adds want, so padded rows have loops of their own.
            if t.b_is_padded || t.width == VECTORS * S::LANES {
                add_panel::<S, L, ROWS, VECTORS, UNIT, true>(
                    s,
                    t,
                    b,
                    c,
                    next_a,
                    calls_ahead,
                    tail,
                    &rows,
                    &mut sums,
                );
            } else {
                add_panel::<S, L, ROWS, VECTORS, UNIT, false>(
                    s,
                    t,
                    b,
                    c,
                    next_a,
                    calls_ahead,
                    tail,
                    &rows,
                    &mut sums,
                );
            }
            for (i, row) in sums.iter().enumerate() {
                for (j, sum) in row.iter().enumerate() {
                    let at = c.add(i * t.ldc + j * S::LANES);
                    if j == VECTORS - 1 { s.store_part(tail, at, *sum) } else { s.store(at, *sum) }
                }
            }
        }
    }
}

/// Where the rows of a tile are, from the first on.
struct Rows {
    /// Every third.
    thirds: [isize; 8],
    step: isize,
}

impl Rows {
    #[inline(always)]
    fn new(t: &Tile) -> Rows {
        let step = t.row_step * size_of::<f32>() as isize;
        Rows { thirds: std::array::from_fn(|i| 3 * i as isize * step), step }
    }

    /// The rows that begin with row `3 * i`, if the first is at `a`. The compiler does not see how they lie to the others: it
    /// would reach each row from the one before, and tiles of one vector, which do little with a row, would wait for addresses.
    #[inline(always)]
    #[allow(
        clippy::pointers_in_nomem_asm_block,
        reason = "no instruction: nothing is read through the pointer"
    )]
    fn third(&self, a: *const f32, i: usize) -> *const f32 {
        let mut row = a.wrapping_byte_offset(self.thirds[i]);
        // SAFETY: no instruction.
        unsafe { asm!("/* {0} */", inout(reg) row, options(pure, nomem, nostack, preserves_flags)) };
        row
    }
}

/// Adds the products of one panel to its sums, in order of `k`.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a loop body with a name")]
unsafe fn add_panel<
    S: Simd,
    L: Lane<S>,
    const ROWS: usize,
    const VECTORS: usize,
    const UNIT: bool,
    const FULL: bool,
>(
    s: S,
    t: &Tile,
    mut b: *const f32,
    c: *mut f32,
    next_a: *const f32,
    calls_ahead: bool,
    tail: S::Part,
    rows: &Rows,
    sums: &mut [[S::F; VECTORS]; ROWS],
) {
    if !t.runs.is_null() {
        // SAFETY: the promise of [`TileFn`].
        return unsafe { add_runs::<S, L, ROWS, VECTORS, UNIT, FULL>(s, t, b, c, next_a, tail, rows, sums) };
    }
    let mut a = t.a;
    // A macro, since closures may stay out of line, and vectors then pass through memory.
    macro_rules! step {
        ($ahead:literal) => {
            // SAFETY: the promise of [`TileFn`]: this `k` is within both operands.
            unsafe { add_step::<S, L, ROWS, VECTORS, UNIT, FULL>(s, t, a, b, $ahead, tail, rows, sums) };
            a = a.wrapping_offset(t.a_step);
            b = b.wrapping_offset(t.ldb);
        };
    }
    // The lines of `c` are called for one row at a time: all at once would block the loads. The
    // steps that do so leave an even number for the loop after them.
    let early = t.k.min(ROWS + (t.k + ROWS) % 2);
    for k in 0..early {
        for line in 0..(VECTORS * S::LANES).div_ceil(16) {
            prefetch(c.wrapping_add(k.min(ROWS - 1) * t.ldc + 16 * line));
        }
        step!(8);
    }
    // Only copies are called for ahead, and they are padded.
    if FULL && calls_ahead {
        for k in (early..t.k).step_by(2) {
            t.ahead.call(k * L::KS, 2 * L::KS);
            step!(8);
            step!(8);
        }
        return;
    }
    for k in (early..t.k).step_by(2) {
        if !next_a.is_null() {
            call_for_rows::<ROWS, UNIT>(t, next_a, k * L::KS, 2 * L::KS);
        }
        step!(8);
        step!(8);
    }
}

/// The same where k goes through runs of `a`.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a loop body with a name")]
unsafe fn add_runs<
    S: Simd,
    L: Lane<S>,
    const ROWS: usize,
    const VECTORS: usize,
    const UNIT: bool,
    const FULL: bool,
>(
    s: S,
    t: &Tile,
    mut b: *const f32,
    c: *mut f32,
    next_a: *const f32,
    tail: S::Part,
    rows: &Rows,
    sums: &mut [[S::F; VECTORS]; ROWS],
) {
    let ahead = if next_a.is_null() { 0 } else { t.next_step };
    for (row, line) in (0..ROWS).flat_map(|row| (0..(VECTORS * S::LANES).div_ceil(16)).map(move |l| (row, l)))
    {
        prefetch(c.wrapping_add(row * t.ldc + 16 * line));
    }
    let (mut runs, mut first, mut left) = (t.runs, t.first, t.k);
    while left > 0 {
        let together = (t.run - first).min(left);
        // SAFETY: the promise of [`TileFn`]: this run, and its ks, are within both operands.
        unsafe {
            let start = *runs as isize + first as isize * t.a_step;
            let mut a = t.a.offset(start);
            let next = next_a.wrapping_offset(start);
            for k in 0..together {
                if ((LINE * k) as isize) < ahead {
                    prefetch(next.wrapping_add(LINE * k));
                }
                add_step::<S, L, ROWS, VECTORS, UNIT, FULL>(s, t, a, b, 8, tail, rows, sums);
                a = a.wrapping_offset(t.a_step);
                b = b.wrapping_offset(t.ldb);
            }
        }
        runs = runs.wrapping_add(1);
        (first, left) = (0, left - together);
    }
}

/// A loop written out: the compiler gives up on one of so many rows, and sums then pass through memory.
macro_rules! each_row {
    ($i:ident in 0..$rows:ident => $body:block) => {
        each_row!(@ $i $rows $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23)
    };
    (@ $i:ident $rows:ident $body:block $($n:literal)*) => { $(
        if $n < $rows {
            let $i: usize = $n;
            $body
        }
    )* };
}

/// Adds the products of one `k`, and asks for the row of `b` that comes `ahead` rows later.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a loop body with a name")]
unsafe fn add_step<
    S: Simd,
    L: Lane<S>,
    const ROWS: usize,
    const VECTORS: usize,
    const UNIT: bool,
    const FULL: bool,
>(
    s: S,
    t: &Tile,
    a: *const f32,
    b: *const f32,
    ahead: isize,
    tail: S::Part,
    rows: &Rows,
    sums: &mut [[S::F; VECTORS]; ROWS],
) {
    // SAFETY: the promise of [`TileFn`].
    unsafe {
        let mut row = [s.splat(0.0); VECTORS];
        for (j, y) in row.iter_mut().enumerate() {
            let at = b.add(j * S::LANES);
            *y = if FULL || j < VECTORS - 1 { s.load(at) } else { s.load_part(tail, at) };
        }
        let narrow = VECTORS == 1;
        let mut third = a;
        each_row!(i in 0..ROWS => {
            if narrow && i.is_multiple_of(3) {
                third = rows.third(a, i / 3);
            }
            let x = s.splat(*match (UNIT, narrow) {
                (true, _) => a.add(i),
                (false, true) => third.wrapping_byte_offset((i % 3) as isize * rows.step),
                (false, false) => a.wrapping_byte_offset(i as isize * rows.step),
            });
            for (j, sum) in sums[i].iter_mut().enumerate() {
                *sum = L::add_products(s, x, row[j], *sum);
            }
        });
        for line in 0..(VECTORS * S::LANES).div_ceil(16) {
            prefetch(b.wrapping_offset(ahead * t.ldb).wrapping_add(16 * line));
        }
    }
}

/// Asks for the lines of the next rows that `count` values of k from `k` on take their share of.
#[inline(always)]
fn call_for_rows<const ROWS: usize, const UNIT: bool>(t: &Tile, next: *const f32, k: usize, count: usize) {
    for k in k..k + count {
        let at = if UNIT {
            // The line of the first is mostly that of the rows before.
            k as isize * t.next_step + ROWS as isize - 1
        } else {
            // Sixteen values of k share a line of each row: one row a value, at most sixteen.
            (k & 15) as isize * t.next_step + (k & !15) as isize
        };
        prefetch(next.wrapping_offset(at));
    }
}

/// Compiles the tiles of one instruction set.
macro_rules! tiles {
    ($isa:ident, $s:expr, $lane:ty, [$($feature:meta)?], $($vectors:literal: [$($rows:literal)*])*) => {
        mod $isa {
            use super::*;

            $(#[$feature])?
            unsafe fn entry<const ROWS: usize, const VECTORS: usize, const UNIT: bool>(t: &Tile) {
                // SAFETY: the promise of [`TileFn`] holds both for the token and for the memory.
                #[allow(unused_unsafe, reason = "some tokens are made without a promise")]
                unsafe { run::<_, $lane, ROWS, VECTORS, UNIT>($s, t) }
            }

            pub fn find(rows: usize, vectors: usize, unit: bool) -> TileFn {
                match (vectors, rows, unit) {
                    $($(
                        ($vectors, $rows, false) => entry::<$rows, $vectors, false>,
                        ($vectors, $rows, true) => entry::<$rows, $vectors, true>,
                    )*)*
                    _ => panic!("plans use tiles that exist, not {rows}x{vectors}"),
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
tiles!(avx512, Avx512::new(), Number, [target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")],
    1: [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24]
    2: [1 2 3 4 5 6 7 8 9 10 11 12 13 14]
);
#[cfg(target_arch = "x86_64")]
tiles!(avx512_pairs, Avx512::new(), Pair, [target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma")],
    1: [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24]
    2: [1 2 3 4 5 6 7 8 9 10 11 12 13 14]
);
#[cfg(target_arch = "x86_64")]
tiles!(avx2, crate::simd::Avx2::new(), Number, [target_feature(enable = "avx2,fma")],
    1: [1 2 3 4 5 6 7 8 9 10 11 12]
    2: [1 2 3 4 5 6]
);
#[cfg(target_arch = "aarch64")]
tiles!(neon, crate::simd::Neon, Number, [],
    1: [1 2 3 4 5 6 7 8]
    2: [1 2 3 4 5 6 7 8]
);
// Where a fused multiply-add may be a library call, larger tiles are only more code.
tiles!(portable, Portable, Number, [],
    1: [1 2 3 4]
    2: [1 2 3 4]
);
