//! Counter-based random numbers: every draw is a pure function of seed, site, step and element.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
//! easy as 1, 2, 3", SC 2011). Nothing is carried from draw to draw, so neither the order of
//! evaluation nor the number of threads can change a number.
//!
//! A *site* is the name of what draws: a dropout, a leaf, an epoch's shuffle. Its 64-bit hash
//! ([`site`]) and the job's seed make the key ([`mix`]). The 128-bit counter is
//! `(index low, index high, step low, step high)`, and one block gives four words:
//!
//! | draw | counter's index | words used |
//! |---|---|---|
//! | [`uniform`] of element `e` | `e / 4` | word `e % 4` |
//! | [`normal`] of element `e` | `e` | words 0 and 1 |
//! | [`shuffle`], swap of place `i` | `i` | words 0 and 1 |

use crate::abi::Ctx;
use crate::isa::Isa;
use crate::simd::{Simd, with_simd};
use std::f64::consts::TAU;

/// FNV-1a, 64 bits, of the site's name.
pub fn site(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The Philox key of a site's hash under a seed: the low and the high half of splitmix64's
/// finaliser of `seed ^ site`.
pub fn mix(seed: u64, site: u64) -> [u32; 2] {
    let mut z = seed ^ site;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    halves(z)
}

/// The key of a named site: `mix(seed, site(name))`.
pub fn key(seed: u64, name: &str) -> [u32; 2] {
    mix(seed, site(name))
}

/// One block of Philox4x32-10.
#[inline]
pub fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let ([mut k0, mut k1], [mut a, mut b, mut c, mut d]) = (key, counter);
    for _ in 0..10 {
        let p = u64::from(a) * 0xd251_1f53;
        let q = u64::from(c) * 0xcd9e_8d57;
        (a, b, c, d) = ((q >> 32) as u32 ^ b ^ k0, q as u32, (p >> 32) as u32 ^ d ^ k1, p as u32);
        k0 = k0.wrapping_add(0x9e37_79b9);
        k1 = k1.wrapping_add(0xbb67_ae85);
    }
    [a, b, c, d]
}

/// Uniform in [0, 1): a multiple of 2^-24, so exact in `f32` and never 1.
pub fn uniform(key: [u32; 2], step: u64, element: u64) -> f32 {
    to_unit(block(key, step, element / 4)[(element % 4) as usize])
}

/// Standard normal by Box and Muller, in `f64`:
/// `sqrt(-2 ln u) * cos(2 pi v)` with `u = (word 0 + 1) * 2^-32` in (0, 1] and
/// `v = word 1 * 2^-32` in [0, 1). At most 6.66 in magnitude.
///
/// `ln` and `cos` are the platform's; round to `f32` after scaling and the last bit of `f64`,
/// where platforms may differ, is gone.
pub fn normal(key: [u32; 2], step: u64, element: u64) -> f64 {
    const SCALE: f64 = 1.0 / 4_294_967_296.0;
    let [u, v, ..] = block(key, step, element);
    let radius = (-2.0 * ((f64::from(u) + 1.0) * SCALE).ln()).sqrt();
    radius * (TAU * (f64::from(v) * SCALE)).cos()
}

/// Fisher and Yates: from the last place down to place 1, swaps place `i` with place
/// `floor(r * (i + 1) / 2^64)` of `0..=i`, where `r` is the 64-bit word `(word 1, word 0)`.
/// The bias of the division is below 2^-32.
pub fn shuffle(key: [u32; 2], step: u64, items: &mut [u32]) {
    for i in (1..items.len()).rev() {
        let [low, high, ..] = block(key, step, i as u64);
        let r = u64::from(high) << 32 | u64::from(low);
        let j = (u128::from(r) * (i as u128 + 1)) >> 64;
        items.swap(i, j as usize);
    }
}

/// `out[i] = uniform((key0, key1), ctx.step, element + i)` for `i < n`.
///
/// # Safety
/// `ctx` points to a live [`Ctx`] and `out` to `n` writable numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlc_uniform(
    ctx: *const Ctx,
    key0: u32,
    key1: u32,
    element: u64,
    n: usize,
    out: *mut f32,
) {
    // SAFETY: both are the caller's promise.
    let (step, out) = unsafe { ((*ctx).step, std::slice::from_raw_parts_mut(out, n)) };
    fill([key0, key1], step, element, out);
}

/// Fills `out` with the draws of elements `element..`.
pub fn fill(key: [u32; 2], step: u64, element: u64, out: &mut [f32]) {
    let lead = (element.wrapping_neg() % 4).min(out.len() as u64) as usize;
    let (head, rest) = out.split_at_mut(lead);
    for (i, x) in head.iter_mut().enumerate() {
        *x = uniform(key, step, element + i as u64);
    }
    fill_blocks(Isa::current(), key, step, (element + lead as u64) / 4, rest);
}

/// Fills `out` from word 0 of block `index` on.
fn fill_blocks(isa: Isa, key: [u32; 2], step: u64, index: u64, out: &mut [f32]) {
    assert!(isa.is_available(), "{isa} was chosen on a processor without it");
    // SAFETY: the processor has the instructions.
    unsafe { with_simd!(isa, [], fill_blocks_body(key: [u32; 2], step: u64, index: u64, out: &mut [f32])) }
}

/// As many blocks at a time as a vector has pairs of lanes.
///
/// # Safety
/// None is needed beyond the token.
#[inline(always)]
unsafe fn fill_blocks_body<S: Simd>(s: S, key: [u32; 2], step: u64, mut index: u64, out: &mut [f32]) {
    let blocks = S::LANES / 2;
    for group in out.chunks_mut(4 * blocks) {
        // A carry within the group, once in 2^32 blocks, is left to the plain form.
        if group.len() == 4 * blocks && halves(index)[0] <= u32::MAX - 16 {
            for (numbers, words) in group.chunks_exact_mut(S::LANES).zip(philox_many(s, key, step, index)) {
                let unit = s.mul(s.to_float(s.shr::<8>(words)), s.splat(1.0 / 16_777_216.0));
                // SAFETY: the chunk has `LANES` numbers.
                unsafe { s.store(numbers.as_mut_ptr(), unit) };
            }
        } else {
            for (four, index) in group.chunks_mut(4).zip(index..) {
                for (x, word) in four.iter_mut().zip(block(key, step, index)) {
                    *x = to_unit(word);
                }
            }
        }
        index += blocks as u64;
    }
}

/// 0 to 7, each in the even lane of a pair, as the bits of floats.
const PAIRS: [f32; 16] = {
    let mut lanes = [0.0; 16];
    let mut i = 0;
    while i < 8 {
        lanes[2 * i] = f32::from_bits(i as u32);
        i += 1;
    }
    lanes
};

/// Blocks from `index` on, whose low half does not overflow, their words one after the other.
///
/// While it works each word has a pair of lanes to itself, as products need; the upper lane is
/// left to be garbage.
#[inline(always)]
fn philox_many<S: Simd>(s: S, key: [u32; 2], step: u64, index: u64) -> [S::I; 2] {
    let splat = |word: u32| s.isplat(word.cast_signed());
    // SAFETY: no vector has more than 16 lanes.
    let numbers = s.bits(unsafe { s.load(PAIRS.as_ptr()) });
    let ([mut k0, mut k1], [low, high], step) = (key, halves(index), halves(step));
    let (mut a, mut b) = (s.iadd(splat(low), numbers), splat(high));
    let (mut c, mut d) = (splat(step[0]), splat(step[1]));
    for _ in 0..10 {
        let p = s.mul_even(a, splat(0xd251_1f53));
        let q = s.mul_even(c, splat(0xcd9e_8d57));
        a = s.ixor(s.ixor(s.odd_to_even(q), b), splat(k0));
        c = s.ixor(s.ixor(s.odd_to_even(p), d), splat(k1));
        (b, d) = (q, p);
        k0 = k0.wrapping_add(0x9e37_79b9);
        k1 = k1.wrapping_add(0xbb67_ae85);
    }
    s.zip_pairs(s.join_even(a, b), s.join_even(c, d))
}

fn block(key: [u32; 2], step: u64, index: u64) -> [u32; 4] {
    let ([i0, i1], [s0, s1]) = (halves(index), halves(step));
    philox(key, [i0, i1, s0, s1])
}

#[inline(always)]
fn to_unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

#[inline(always)]
fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that Random123 ships for `philox4x32 10`.
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 2], [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = u32::MAX;
        assert_eq!(philox([ones; 2], [ones; 4]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0xa409_3822, 0x299f_31d0], [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn names_hash_as_fnv_1a() {
        assert_eq!(site(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(site("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(site("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn keys_differ_by_seed_and_site() {
        assert_ne!(key(1, "fc1"), key(2, "fc1"));
        assert_ne!(key(1, "fc1"), key(1, "fc2"));
    }

    #[test]
    fn a_strip_is_its_elements_whatever_its_start_and_length() {
        let key = key(7, "drop");
        let ctx = Ctx {
            buffers: std::ptr::null(),
            seed: 7,
            step: 3 << 33 | 5,
            team: std::ptr::null(),
            workspace: std::ptr::null_mut(),
        };
        for start in [0u64, 1, 2, 3, 4, 61, (1 << 34) - 3, (1 << 34) - 90] {
            for n in [0usize, 1, 3, 4, 63, 64, 65, 200] {
                let mut out = vec![-1f32; n];
                // SAFETY: `ctx` lives here and `out` has `n` numbers.
                unsafe { mlc_uniform(&ctx, key[0], key[1], start, n, out.as_mut_ptr()) };
                for (i, x) in out.iter().enumerate() {
                    assert_eq!(
                        *x,
                        uniform(key, ctx.step, start + i as u64),
                        "start {start}, element {i} of {n}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_draws_the_same() {
        let want: Vec<f32> = (0..333).map(|e| uniform([1, 2], 9, e)).collect();
        for isa in Isa::all() {
            let mut got = vec![0f32; 333];
            fill_blocks(isa, [1, 2], 9, 0, &mut got);
            assert_eq!(got, want, "{isa}");
        }
    }

    #[test]
    fn uniforms_lie_in_the_unit_interval_with_the_right_moments() {
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|e| f64::from(uniform(key(1, "u"), 1, e))).collect();
        assert!(draws.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = draws.iter().sum::<f64>() / n as f64;
        let var = draws.iter().map(|u| (u - mean).powi(2)).sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 5e-3 && (var - 1.0 / 12.0).abs() < 1e-3, "{mean} {var}");
    }

    #[test]
    fn normals_have_the_right_moments() {
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|e| normal(key(1, "n"), 0, e)).collect();
        let moment = |p: i32| draws.iter().map(|x| x.powi(p)).sum::<f64>() / n as f64;
        assert!(moment(1).abs() < 0.015, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.02, "{}", moment(2));
        assert!(moment(3).abs() < 0.05, "{}", moment(3));
        assert!((moment(4) - 3.0).abs() < 0.1, "{}", moment(4));
    }

    #[test]
    fn a_shuffle_is_a_permutation_that_seed_and_step_decide() {
        let shuffled = |seed, step| {
            let mut items: Vec<u32> = (0..1000).collect();
            shuffle(key(seed, "rows"), step, &mut items);
            items
        };
        let first = shuffled(1, 0);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
        assert_eq!(first, shuffled(1, 0));
        assert_ne!(first, shuffled(1, 1));
        assert_ne!(first, shuffled(2, 0));
        shuffle([0, 0], 0, &mut []);
    }

    #[test]
    fn every_order_of_three_is_as_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for step in 0..6000 {
            let mut items = [0, 1, 2];
            shuffle([3, 4], step, &mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|c| (880..1120).contains(c)), "{counts:?}");
    }
}
