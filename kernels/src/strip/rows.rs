//! Folds of a row in one fixed order.
//!
//! Number `i` of the row goes to lane `i % 16`; each lane folds its numbers in order of `i`. Then
//! the lanes are folded by halves: lane `l < 8` with lane `l + 8`, `l < 4` with `l + 4`, `l < 2` with
//! `l + 2`, and 0 with 1. The lower lane is always the left argument.

use crate::isa::Isa;
use crate::simd::{Simd, with_simd};

const LANES: usize = 16;

/// The sum of `n` numbers, each lane starting from 0.
///
/// # Safety
/// `x` is readable for `n` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlc_sum(n: usize, x: *const f32) -> f32 {
    // SAFETY: the caller's promise.
    unsafe { fold::<Sum>(Isa::current(), n, x) }
}

/// The largest of `n` numbers, each lane starting from `-inf`; a step is `if x > best { x } else
/// { best }`, so NaN is passed over.
///
/// # Safety
/// `x` is readable for `n` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlc_max(n: usize, x: *const f32) -> f32 {
    // SAFETY: the caller's promise.
    unsafe { fold::<Max>(Isa::current(), n, x) }
}

pub(super) trait Fold {
    const START: f32;
    fn step<S: Simd>(s: S, so_far: S::F, x: S::F) -> S::F;
    fn join(left: f32, right: f32) -> f32;
}

pub(super) struct Sum;

impl Fold for Sum {
    const START: f32 = 0.0;
    #[inline(always)]
    fn step<S: Simd>(s: S, so_far: S::F, x: S::F) -> S::F {
        s.add(so_far, x)
    }
    fn join(left: f32, right: f32) -> f32 {
        left + right
    }
}

pub(super) struct Max;

impl Fold for Max {
    const START: f32 = f32::NEG_INFINITY;
    #[inline(always)]
    fn step<S: Simd>(s: S, so_far: S::F, x: S::F) -> S::F {
        s.max(x, so_far)
    }
    fn join(left: f32, right: f32) -> f32 {
        if right > left { right } else { left }
    }
}

/// # Safety
/// `x` is readable for `n` numbers; `isa` is available.
pub(super) unsafe fn fold<G: Fold>(isa: Isa, n: usize, x: *const f32) -> f32 {
    let mut lanes = [G::START; LANES];
    let out = &mut lanes;
    // SAFETY: the caller's promise.
    unsafe { with_simd!(isa, [G: Fold], fold_lanes(n: usize, x: *const f32, out: &mut [f32; LANES])) };
    for half in [8, 4, 2, 1] {
        for l in 0..half {
            lanes[l] = G::join(lanes[l], lanes[l + half]);
        }
    }
    lanes[0]
}

#[inline(always)]
unsafe fn fold_lanes<S: Simd, G: Fold>(s: S, n: usize, x: *const f32, lanes: &mut [f32; LANES]) {
    let vectors = LANES / S::LANES;
    // No vector has fewer than 4 lanes.
    let mut sums = [s.splat(G::START); 4];
    let whole = n / LANES * LANES;
    // SAFETY: the promise of `fold`; `lanes` holds what the vectors hold.
    unsafe {
        for i in (0..whole).step_by(LANES) {
            for (v, sum) in sums.iter_mut().enumerate().take(vectors) {
                *sum = G::step(s, *sum, s.load(x.add(i + v * S::LANES)));
            }
        }
        for (v, sum) in sums.iter().enumerate().take(vectors) {
            s.store(lanes.as_mut_ptr().add(v * S::LANES), *sum);
        }
        for (i, lane) in lanes.iter_mut().enumerate().take(n - whole) {
            *lane = G::join(*lane, *x.add(whole + i));
        }
    }
}
