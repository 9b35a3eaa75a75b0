//! One vocabulary for the vectors of every instruction set.
//!
//! A kernel is written once over [`Simd`] and compiled for each implementation. Every operation
//! rounds as IEEE 754 says (fused multiply-add once), so a lane's bits do not depend on the
//! instruction set. Implementations are zero-sized tokens: having one proves that the processor has
//! the instructions, which is why most methods are safe.
//!
//! Kernels must be `#[inline(always)]` down to here, so that all of it is compiled inside a
//! function with the right `target_feature`; [`with_simd`] makes those.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
pub use portable::Portable;

/// A vector instruction set.
///
/// `F` holds `f32` lanes, `I` 32-bit integer lanes, `M` a truth value for each lane, and `Part`
/// says how many lanes of a load or store are real.
pub trait Simd: Copy {
    const LANES: usize;
    type F: Copy;
    type I: Copy;
    type M: Copy;
    type Part: Copy;

    fn splat(self, x: f32) -> Self::F;
    /// # Safety
    /// `LANES` numbers are readable at `p`.
    unsafe fn load(self, p: *const f32) -> Self::F;
    /// # Safety
    /// `LANES` numbers are writable at `p`.
    unsafe fn store(self, p: *mut f32, x: Self::F);
    /// The first `n` lanes, all of them if `n` is more.
    fn first(self, n: usize) -> Self::Part;
    /// The lanes outside the part are 0.
    ///
    /// # Safety
    /// The lanes of the part are readable at `p`.
    unsafe fn load_part(self, part: Self::Part, p: *const f32) -> Self::F;
    /// # Safety
    /// The lanes of the part are writable at `p`.
    unsafe fn store_part(self, part: Self::Part, p: *mut f32, x: Self::F);

    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    fn sqrt(self, a: Self::F) -> Self::F;
    /// `a * b + c`, rounded once.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `if a < b { a } else { b }`: `b` where either is NaN.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// `if a > b { a } else { b }`: `b` where either is NaN.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;

    /// False where either is NaN.
    fn lt(self, a: Self::F, b: Self::F) -> Self::M;
    /// False where either is NaN.
    fn eq(self, a: Self::F, b: Self::F) -> Self::M;
    fn both(self, a: Self::M, b: Self::M) -> Self::M;
    fn either(self, a: Self::M, b: Self::M) -> Self::M;
    fn any(self, m: Self::M) -> bool;
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F;

    fn bits(self, a: Self::F) -> Self::I;
    fn float(self, a: Self::I) -> Self::F;
    fn isplat(self, x: i32) -> Self::I;
    fn iadd(self, a: Self::I, b: Self::I) -> Self::I;
    fn isub(self, a: Self::I, b: Self::I) -> Self::I;
    fn iand(self, a: Self::I, b: Self::I) -> Self::I;
    fn ior(self, a: Self::I, b: Self::I) -> Self::I;
    fn ixor(self, a: Self::I, b: Self::I) -> Self::I;
    fn ieq(self, a: Self::I, b: Self::I) -> Self::M;
    fn shl<const BY: u32>(self, a: Self::I) -> Self::I;
    /// Arithmetic: the sign comes in from the left.
    fn sar<const BY: u32>(self, a: Self::I) -> Self::I;
    /// Logical: zeros come in from the left.
    fn shr<const BY: u32>(self, a: Self::I) -> Self::I;
    /// The unsigned 64-bit products of the even lanes, each in its pair of lanes, low half first.
    fn mul_even(self, a: Self::I, b: Self::I) -> Self::I;
    /// Each odd lane moved to the even one below it; the odd lanes become 0.
    fn odd_to_even(self, a: Self::I) -> Self::I;
    /// The even lanes of `a`, and those of `b` in the odd lanes above them.
    fn join_even(self, a: Self::I, b: Self::I) -> Self::I;
    /// Pairs of lanes from `a` and `b` in turn.
    fn zip_pairs(self, a: Self::I, b: Self::I) -> [Self::I; 2];
    /// Exact for magnitudes up to 2^24.
    fn to_float(self, a: Self::I) -> Self::F;

    /// `dst[c * ldd + r] = src[r * lds + c]` for `r < rows <= LANES`, `c < cols <= LANES`.
    ///
    /// # Safety
    /// Those elements are readable and writable; `src` and `dst` do not overlap.
    unsafe fn transpose(
        self,
        src: *const f32,
        lds: usize,
        rows: usize,
        cols: usize,
        dst: *mut f32,
        ldd: usize,
    );

    #[inline(always)]
    fn neg(self, a: Self::F) -> Self::F {
        self.float(self.ixor(self.bits(a), self.isplat(i32::MIN)))
    }
    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        self.float(self.iand(self.bits(a), self.isplat(i32::MAX)))
    }
    /// The nearest `bf16`, of two equally near ones the even: an `f32` whose lower half is 0. Denormal numbers become 0.
    #[inline(always)]
    fn to_bf16(self, a: Self::F) -> Self::F {
        let zero = self.splat(0.0);
        let normal = self.select(self.lt(self.abs(a), self.splat(f32::MIN_POSITIVE)), zero, a);
        let bits = self.bits(normal);
        let odd = self.iand(self.shr::<16>(bits), self.isplat(1));
        let near = self.iadd(self.iadd(bits, self.isplat(0x7fff)), odd);
        let near = self.float(self.iand(near, self.isplat(0xffff_0000_u32 as i32)));
        self.select(self.eq(a, a), near, a)
    }
    /// The magnitude of `a` (not negative) with the sign of `b`.
    #[inline(always)]
    fn with_sign(self, a: Self::F, b: Self::F) -> Self::F {
        self.float(self.ior(self.bits(a), self.iand(self.bits(b), self.isplat(i32::MIN))))
    }
}

/// Asks the processor to bring the line of `p` near; does nothing with bad addresses.
#[inline(always)]
pub fn prefetch(p: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of the target, and a prefetch of any address is harmless.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(p.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch of any address is harmless.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) p, options(readonly, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = p;
}

/// The same into the second cache.
#[inline(always)]
pub fn prefetch_far(p: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of the target, and a prefetch of any address is harmless.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(p.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch of any address is harmless.
    unsafe {
        std::arch::asm!("prfm pldl2keep, [{}]", in(reg) p, options(readonly, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = p;
}

/// Compiles a generic kernel for each instruction set and picks at run time:
///
/// `with_simd!(isa, [K: Bound], kernel::<K>(x: X, ..))` calls `kernel::<S, K>(s, x, ..)`, which must
/// be `#[inline(always)]` and unsafe. The expression is unsafe too.
macro_rules! with_simd {
    ($isa:expr, [$($g:ident: $bound:path)?], $kernel:ident($($arg:ident: $ty:ty),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
        unsafe fn avx512<$($g: $bound)?>($($arg: $ty),*) {
            // SAFETY: the features of this function are those that the token stands for; the
            // rest is the promise of whoever wrote `with_simd`.
            unsafe { $kernel::<_ $(, $g)?>($crate::simd::Avx512::new(), $($arg),*) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2<$($g: $bound)?>($($arg: $ty),*) {
            // SAFETY: as above.
            unsafe { $kernel::<_ $(, $g)?>($crate::simd::Avx2::new(), $($arg),*) }
        }
        match $isa {
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Isa::Avx512 => avx512::<$($g)?>($($arg),*),
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Isa::Avx2 => avx2::<$($g)?>($($arg),*),
            #[cfg(target_arch = "aarch64")]
            $crate::isa::Isa::Neon => $kernel::<_ $(, $g)?>($crate::simd::Neon, $($arg),*),
            _ => $kernel::<_ $(, $g)?>($crate::simd::Portable, $($arg),*),
        }
    }};
}
pub(crate) use with_simd;
