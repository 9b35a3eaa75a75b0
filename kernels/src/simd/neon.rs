//! NEON: 4 lanes. Every aarch64 has it.

use super::Simd;
use std::arch::aarch64::*;

#[derive(Clone, Copy)]
pub struct Neon;

/// Methods that are a few intrinsics.
macro_rules! ops {
    ($($name:ident($($x:ident: $t:ty),*) -> $r:ty = $e:expr;)*) => { $(
        #[inline(always)]
        fn $name(self, $($x: $t),*) -> $r {
            // SAFETY: the instructions are part of the target.
            unsafe { $e }
        }
    )* };
}

impl Simd for Neon {
    const LANES: usize = 4;
    type F = float32x4_t;
    type I = int32x4_t;
    type M = uint32x4_t;
    type Part = usize;

    ops! {
        splat(x: f32) -> float32x4_t = vdupq_n_f32(x);
        add(a: float32x4_t, b: float32x4_t) -> float32x4_t = vaddq_f32(a, b);
        sub(a: float32x4_t, b: float32x4_t) -> float32x4_t = vsubq_f32(a, b);
        mul(a: float32x4_t, b: float32x4_t) -> float32x4_t = vmulq_f32(a, b);
        div(a: float32x4_t, b: float32x4_t) -> float32x4_t = vdivq_f32(a, b);
        sqrt(a: float32x4_t) -> float32x4_t = vsqrtq_f32(a);
        fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t = vfmaq_f32(c, a, b);
        // Its own `min` and `max` give NaN where either is.
        min(a: float32x4_t, b: float32x4_t) -> float32x4_t = vbslq_f32(vcltq_f32(a, b), a, b);
        max(a: float32x4_t, b: float32x4_t) -> float32x4_t = vbslq_f32(vcgtq_f32(a, b), a, b);
        lt(a: float32x4_t, b: float32x4_t) -> uint32x4_t = vcltq_f32(a, b);
        eq(a: float32x4_t, b: float32x4_t) -> uint32x4_t = vceqq_f32(a, b);
        both(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t = vandq_u32(a, b);
        either(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t = vorrq_u32(a, b);
        any(m: uint32x4_t) -> bool = vmaxvq_u32(m) != 0;
        select(m: uint32x4_t, yes: float32x4_t, no: float32x4_t) -> float32x4_t = vbslq_f32(m, yes, no);
        bits(a: float32x4_t) -> int32x4_t = vreinterpretq_s32_f32(a);
        float(a: int32x4_t) -> float32x4_t = vreinterpretq_f32_s32(a);
        isplat(x: i32) -> int32x4_t = vdupq_n_s32(x);
        iadd(a: int32x4_t, b: int32x4_t) -> int32x4_t = vaddq_s32(a, b);
        isub(a: int32x4_t, b: int32x4_t) -> int32x4_t = vsubq_s32(a, b);
        iand(a: int32x4_t, b: int32x4_t) -> int32x4_t = vandq_s32(a, b);
        ior(a: int32x4_t, b: int32x4_t) -> int32x4_t = vorrq_s32(a, b);
        ixor(a: int32x4_t, b: int32x4_t) -> int32x4_t = veorq_s32(a, b);
        ieq(a: int32x4_t, b: int32x4_t) -> uint32x4_t = vceqq_s32(a, b);
        mul_even(a: int32x4_t, b: int32x4_t) -> int32x4_t = {
            let even = |x| vmovn_u64(vreinterpretq_u64_s32(x));
            vreinterpretq_s32_u64(vmull_u32(even(a), even(b)))
        };
        odd_to_even(a: int32x4_t) -> int32x4_t =
            vreinterpretq_s32_u64(vshrq_n_u64::<32>(vreinterpretq_u64_s32(a)));
        join_even(a: int32x4_t, b: int32x4_t) -> int32x4_t = vtrn1q_s32(a, b);
        zip_pairs(a: int32x4_t, b: int32x4_t) -> [int32x4_t; 2] = {
            let (a, b) = (vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b));
            [vreinterpretq_s32_s64(vzip1q_s64(a, b)), vreinterpretq_s32_s64(vzip2q_s64(a, b))]
        };
        to_float(a: int32x4_t) -> float32x4_t = vcvtq_f32_s32(a);
    }

    // A shift by a vector of constants becomes one by an immediate; to the right is a negative one to the left.
    #[inline(always)]
    fn shl<const BY: u32>(self, a: int32x4_t) -> int32x4_t {
        // SAFETY: the instructions are part of the target.
        unsafe { vshlq_s32(a, vdupq_n_s32(BY as i32)) }
    }
    #[inline(always)]
    fn sar<const BY: u32>(self, a: int32x4_t) -> int32x4_t {
        // SAFETY: as above.
        unsafe { vshlq_s32(a, vdupq_n_s32(-(BY as i32))) }
    }
    #[inline(always)]
    fn shr<const BY: u32>(self, a: int32x4_t) -> int32x4_t {
        // SAFETY: as above.
        unsafe {
            let a = vreinterpretq_u32_s32(a);
            vreinterpretq_s32_u32(vshlq_u32(a, vdupq_n_s32(-(BY as i32))))
        }
    }
    #[inline(always)]
    fn first(self, n: usize) -> usize {
        n.min(4)
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> float32x4_t {
        // SAFETY: the caller's promise.
        unsafe { vld1q_f32(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, x: float32x4_t) {
        // SAFETY: the caller's promise.
        unsafe { vst1q_f32(p, x) }
    }
    #[inline(always)]
    unsafe fn load_part(self, part: usize, p: *const f32) -> float32x4_t {
        // SAFETY: the caller's promise: only the part is read.
        unsafe {
            let zero = vdupq_n_f32(0.0);
            match part {
                0 => zero,
                1 => vld1q_lane_f32::<0>(p, zero),
                2 => vcombine_f32(vld1_f32(p), vdup_n_f32(0.0)),
                3 => vld1q_lane_f32::<2>(p.add(2), vcombine_f32(vld1_f32(p), vdup_n_f32(0.0))),
                _ => vld1q_f32(p),
            }
        }
    }
    #[inline(always)]
    unsafe fn store_part(self, part: usize, p: *mut f32, x: float32x4_t) {
        // SAFETY: the caller's promise: only the part is written.
        unsafe {
            match part {
                0 => {}
                1 => vst1q_lane_f32::<0>(p, x),
                2 => vst1_f32(p, vget_low_f32(x)),
                3 => {
                    vst1_f32(p, vget_low_f32(x));
                    vst1q_lane_f32::<2>(p.add(2), x);
                }
                _ => vst1q_f32(p, x),
            }
        }
    }

    #[inline(always)]
    unsafe fn transpose(
        self,
        src: *const f32,
        lds: usize,
        rows: usize,
        cols: usize,
        dst: *mut f32,
        ldd: usize,
    ) {
        // SAFETY: the caller's promise; rows beyond `rows` and lanes beyond `cols` are not read,
        // columns beyond `cols` and lanes beyond `rows` not written.
        unsafe {
            let mut x = [vdupq_n_f32(0.0); 4];
            for (r, row) in x.iter_mut().enumerate().take(rows) {
                *row = self.load_part(cols, src.add(r * lds));
            }
            for (c, column) in columns(x).into_iter().enumerate().take(cols) {
                self.store_part(rows, dst.add(c * ldd), column);
            }
        }
    }
}

/// The columns of four rows, by halves: pairs, then 64-bit halves.
#[inline(always)]
fn columns(x: [float32x4_t; 4]) -> [float32x4_t; 4] {
    // SAFETY: the instructions are part of the target.
    unsafe {
        let pairs = |a, b| (vreinterpretq_f64_f32(vtrn1q_f32(a, b)), vreinterpretq_f64_f32(vtrn2q_f32(a, b)));
        let ((even, odd), (even_below, odd_below)) = (pairs(x[0], x[1]), pairs(x[2], x[3]));
        [
            vreinterpretq_f32_f64(vzip1q_f64(even, even_below)),
            vreinterpretq_f32_f64(vzip1q_f64(odd, odd_below)),
            vreinterpretq_f32_f64(vzip2q_f64(even, even_below)),
            vreinterpretq_f32_f64(vzip2q_f64(odd, odd_below)),
        ]
    }
}
