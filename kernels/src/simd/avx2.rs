//! AVX2 with FMA: 8 lanes.

use super::Simd;
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The processor has AVX2 and FMA.
    #[inline(always)]
    pub unsafe fn new() -> Avx2 {
        Avx2(())
    }
}

/// Methods that are one intrinsic.
macro_rules! ops {
    ($($name:ident($($x:ident: $t:ty),*) -> $r:ty = $e:expr;)*) => { $(
        #[inline(always)]
        fn $name(self, $($x: $t),*) -> $r {
            // SAFETY: the token proves that the processor has the instruction.
            unsafe { $e }
        }
    )* };
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    type F = __m256;
    type I = __m256i;
    type M = __m256;
    type Part = __m256i;

    ops! {
        splat(x: f32) -> __m256 = _mm256_set1_ps(x);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        sqrt(a: __m256) -> __m256 = _mm256_sqrt_ps(a);
        fma(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        lt(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
        eq(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b);
        both(a: __m256, b: __m256) -> __m256 = _mm256_and_ps(a, b);
        either(a: __m256, b: __m256) -> __m256 = _mm256_or_ps(a, b);
        any(m: __m256) -> bool = _mm256_movemask_ps(m) != 0;
        select(m: __m256, yes: __m256, no: __m256) -> __m256 = _mm256_blendv_ps(no, yes, m);
        bits(a: __m256) -> __m256i = _mm256_castps_si256(a);
        float(a: __m256i) -> __m256 = _mm256_castsi256_ps(a);
        isplat(x: i32) -> __m256i = _mm256_set1_epi32(x);
        iadd(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi32(a, b);
        isub(a: __m256i, b: __m256i) -> __m256i = _mm256_sub_epi32(a, b);
        iand(a: __m256i, b: __m256i) -> __m256i = _mm256_and_si256(a, b);
        ior(a: __m256i, b: __m256i) -> __m256i = _mm256_or_si256(a, b);
        ixor(a: __m256i, b: __m256i) -> __m256i = _mm256_xor_si256(a, b);
        ieq(a: __m256i, b: __m256i) -> __m256 = _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
        mul_even(a: __m256i, b: __m256i) -> __m256i = _mm256_mul_epu32(a, b);
        odd_to_even(a: __m256i) -> __m256i = _mm256_srli_epi64::<32>(a);
        join_even(a: __m256i, b: __m256i) -> __m256i =
            _mm256_blend_epi32::<0xaa>(a, _mm256_slli_epi64::<32>(b));
        zip_pairs(a: __m256i, b: __m256i) -> [__m256i; 2] = {
            let (even, odd) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
            [_mm256_permute2x128_si256::<0x20>(even, odd), _mm256_permute2x128_si256::<0x31>(even, odd)]
        };
        to_float(a: __m256i) -> __m256 = _mm256_cvtepi32_ps(a);
        first(n: usize) -> __m256i = _mm256_cmpgt_epi32(
            _mm256_set1_epi32(n.min(8) as i32),
            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
        );
    }

    #[inline(always)]
    fn shl<const BY: u32>(self, a: __m256i) -> __m256i {
        // SAFETY: the token proves that the processor has the instruction.
        unsafe { _mm256_sll_epi32(a, _mm_cvtsi32_si128(BY as i32)) }
    }
    #[inline(always)]
    fn sar<const BY: u32>(self, a: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_sra_epi32(a, _mm_cvtsi32_si128(BY as i32)) }
    }
    #[inline(always)]
    fn shr<const BY: u32>(self, a: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_srl_epi32(a, _mm_cvtsi32_si128(BY as i32)) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, x: __m256) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_ps(p, x) }
    }
    #[inline(always)]
    unsafe fn load_part(self, part: __m256i, p: *const f32) -> __m256 {
        // SAFETY: the caller's promise; masked lanes are not touched.
        unsafe { _mm256_maskload_ps(p, part) }
    }
    #[inline(always)]
    unsafe fn store_part(self, part: __m256i, p: *mut f32, x: __m256) {
        // SAFETY: the caller's promise; masked lanes are not touched.
        unsafe { _mm256_maskstore_ps(p, part, x) }
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
            let (take, give) = (self.first(cols), self.first(rows));
            let mut x = [_mm256_setzero_ps(); 8];
            for (r, row) in x.iter_mut().enumerate() {
                if r < rows {
                    *row = _mm256_maskload_ps(src.add(r * lds), take);
                }
            }
            let x = columns(x);
            for (c, column) in x.iter().enumerate() {
                if c < cols {
                    _mm256_maskstore_ps(dst.add(c * ldd), give, *column);
                }
            }
        }
    }
}

/// The columns of eight rows, by halves: pairs, fours, then 128-bit halves.
#[inline(always)]
unsafe fn columns(x: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: called with the token's features.
    unsafe {
        let mut y = x;
        for i in 0..4 {
            y[2 * i] = _mm256_unpacklo_ps(x[2 * i], x[2 * i + 1]);
            y[2 * i + 1] = _mm256_unpackhi_ps(x[2 * i], x[2 * i + 1]);
        }
        let mut x = y;
        for i in 0..2 {
            for j in 0..2 {
                let (a, b) = (_mm256_castps_pd(y[4 * i + j]), _mm256_castps_pd(y[4 * i + j + 2]));
                x[4 * i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
                x[4 * i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
            }
        }
        for c in 0..4 {
            y[c] = _mm256_permute2f128_ps::<0x20>(x[c], x[4 + c]);
            y[4 + c] = _mm256_permute2f128_ps::<0x31>(x[c], x[4 + c]);
        }
        y
    }
}
