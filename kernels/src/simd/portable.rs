//! Plain arrays of 4 lanes, for processors that have nothing better, and to hold the others against. Compilers turn
//! some of it into vectors; a fused multiply-add on an x86-64 without FMA is a library call: right, slow.

use super::Simd;

#[derive(Clone, Copy)]
pub struct Portable;

const N: usize = 4;

/// Methods that do one thing to every lane.
macro_rules! ops {
    ($($name:ident($($x:ident: $t:ty),*) -> $r:ty = |$i:ident| $e:expr;)*) => { $(
        #[inline(always)]
        fn $name(self, $($x: $t),*) -> [$r; N] {
            std::array::from_fn(|$i| $e)
        }
    )* };
}

impl Simd for Portable {
    const LANES: usize = N;
    type F = [f32; N];
    type I = [i32; N];
    type M = [bool; N];
    type Part = usize;

    ops! {
        splat(x: f32) -> f32 = |_i| x;
        add(a: [f32; N], b: [f32; N]) -> f32 = |i| a[i] + b[i];
        sub(a: [f32; N], b: [f32; N]) -> f32 = |i| a[i] - b[i];
        mul(a: [f32; N], b: [f32; N]) -> f32 = |i| a[i] * b[i];
        div(a: [f32; N], b: [f32; N]) -> f32 = |i| a[i] / b[i];
        sqrt(a: [f32; N]) -> f32 = |i| a[i].sqrt();
        fma(a: [f32; N], b: [f32; N], c: [f32; N]) -> f32 = |i| a[i].mul_add(b[i], c[i]);
        min(a: [f32; N], b: [f32; N]) -> f32 = |i| if a[i] < b[i] { a[i] } else { b[i] };
        max(a: [f32; N], b: [f32; N]) -> f32 = |i| if a[i] > b[i] { a[i] } else { b[i] };
        lt(a: [f32; N], b: [f32; N]) -> bool = |i| a[i] < b[i];
        eq(a: [f32; N], b: [f32; N]) -> bool = |i| a[i] == b[i];
        both(a: [bool; N], b: [bool; N]) -> bool = |i| a[i] & b[i];
        either(a: [bool; N], b: [bool; N]) -> bool = |i| a[i] | b[i];
        select(m: [bool; N], yes: [f32; N], no: [f32; N]) -> f32 = |i| if m[i] { yes[i] } else { no[i] };
        bits(a: [f32; N]) -> i32 = |i| a[i].to_bits().cast_signed();
        float(a: [i32; N]) -> f32 = |i| f32::from_bits(a[i].cast_unsigned());
        isplat(x: i32) -> i32 = |_i| x;
        iadd(a: [i32; N], b: [i32; N]) -> i32 = |i| a[i].wrapping_add(b[i]);
        isub(a: [i32; N], b: [i32; N]) -> i32 = |i| a[i].wrapping_sub(b[i]);
        iand(a: [i32; N], b: [i32; N]) -> i32 = |i| a[i] & b[i];
        ior(a: [i32; N], b: [i32; N]) -> i32 = |i| a[i] | b[i];
        ixor(a: [i32; N], b: [i32; N]) -> i32 = |i| a[i] ^ b[i];
        ieq(a: [i32; N], b: [i32; N]) -> bool = |i| a[i] == b[i];
        to_float(a: [i32; N]) -> f32 = |i| a[i] as f32;
    }

    #[inline(always)]
    fn any(self, m: [bool; N]) -> bool {
        m.contains(&true)
    }
    #[inline(always)]
    fn shl<const BY: u32>(self, a: [i32; N]) -> [i32; N] {
        a.map(|x| x << BY)
    }
    #[inline(always)]
    fn sar<const BY: u32>(self, a: [i32; N]) -> [i32; N] {
        a.map(|x| x >> BY)
    }
    #[inline(always)]
    fn shr<const BY: u32>(self, a: [i32; N]) -> [i32; N] {
        a.map(|x| (x.cast_unsigned() >> BY).cast_signed())
    }
    #[inline(always)]
    fn mul_even(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        let product = |i: usize| u64::from(a[i].cast_unsigned()) * u64::from(b[i].cast_unsigned());
        let (p, q) = (product(0), product(2));
        [p as i32, (p >> 32) as i32, q as i32, (q >> 32) as i32]
    }
    #[inline(always)]
    fn odd_to_even(self, a: [i32; N]) -> [i32; N] {
        [a[1], 0, a[3], 0]
    }
    #[inline(always)]
    fn join_even(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        [a[0], b[0], a[2], b[2]]
    }
    #[inline(always)]
    fn zip_pairs(self, a: [i32; N], b: [i32; N]) -> [[i32; N]; 2] {
        [[a[0], a[1], b[0], b[1]], [a[2], a[3], b[2], b[3]]]
    }
    #[inline(always)]
    fn first(self, n: usize) -> usize {
        n.min(N)
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> [f32; N] {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f32; N]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, x: [f32; N]) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f32; N]>().write_unaligned(x) }
    }
    #[inline(always)]
    unsafe fn load_part(self, part: usize, p: *const f32) -> [f32; N] {
        // SAFETY: the caller's promise: only the part is read.
        std::array::from_fn(|i| if i < part { unsafe { *p.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_part(self, part: usize, p: *mut f32, x: [f32; N]) {
        for (i, x) in x.into_iter().enumerate().take(part) {
            // SAFETY: the caller's promise: only the part is written.
            unsafe { *p.add(i) = x };
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
        for c in 0..cols {
            for r in 0..rows {
                // SAFETY: the caller's promise.
                unsafe { *dst.add(c * ldd + r) = *src.add(r * lds + c) };
            }
        }
    }
}
