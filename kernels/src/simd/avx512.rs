//! AVX-512: 16 lanes.

use super::Simd;
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The processor has AVX-512 F, VL, DQ and BW, AVX2 and FMA.
    #[inline(always)]
    pub unsafe fn new() -> Avx512 {
        Avx512(())
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

impl Simd for Avx512 {
    const LANES: usize = 16;
    type F = __m512;
    type I = __m512i;
    type M = __mmask16;
    type Part = __mmask16;

    ops! {
        splat(x: f32) -> __m512 = _mm512_set1_ps(x);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        sqrt(a: __m512) -> __m512 = _mm512_sqrt_ps(a);
        fma(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        lt(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
        eq(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b);
        select(m: __mmask16, yes: __m512, no: __m512) -> __m512 = _mm512_mask_blend_ps(m, no, yes);
        bits(a: __m512) -> __m512i = _mm512_castps_si512(a);
        float(a: __m512i) -> __m512 = _mm512_castsi512_ps(a);
        isplat(x: i32) -> __m512i = _mm512_set1_epi32(x);
        iadd(a: __m512i, b: __m512i) -> __m512i = _mm512_add_epi32(a, b);
        isub(a: __m512i, b: __m512i) -> __m512i = _mm512_sub_epi32(a, b);
        iand(a: __m512i, b: __m512i) -> __m512i = _mm512_and_si512(a, b);
        ior(a: __m512i, b: __m512i) -> __m512i = _mm512_or_si512(a, b);
        ixor(a: __m512i, b: __m512i) -> __m512i = _mm512_xor_si512(a, b);
        ieq(a: __m512i, b: __m512i) -> __mmask16 = _mm512_cmpeq_epi32_mask(a, b);
        mul_even(a: __m512i, b: __m512i) -> __m512i = _mm512_mul_epu32(a, b);
        odd_to_even(a: __m512i) -> __m512i = _mm512_srli_epi64::<32>(a);
        join_even(a: __m512i, b: __m512i) -> __m512i =
            _mm512_mask_blend_epi32(0xaaaa, a, _mm512_slli_epi64::<32>(b));
        zip_pairs(a: __m512i, b: __m512i) -> [__m512i; 2] = [
            _mm512_permutex2var_epi64(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b),
            _mm512_permutex2var_epi64(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b),
        ];
        to_float(a: __m512i) -> __m512 = _mm512_cvtepi32_ps(a);
    }

    #[inline(always)]
    fn both(self, a: __mmask16, b: __mmask16) -> __mmask16 {
        a & b
    }
    #[inline(always)]
    fn either(self, a: __mmask16, b: __mmask16) -> __mmask16 {
        a | b
    }
    #[inline(always)]
    fn any(self, m: __mmask16) -> bool {
        m != 0
    }
    #[inline(always)]
    fn shl<const BY: u32>(self, a: __m512i) -> __m512i {
        // SAFETY: the token proves that the processor has the instruction.
        unsafe { _mm512_slli_epi32::<BY>(a) }
    }
    #[inline(always)]
    fn sar<const BY: u32>(self, a: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_srai_epi32::<BY>(a) }
    }
    #[inline(always)]
    fn shr<const BY: u32>(self, a: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_srli_epi32::<BY>(a) }
    }
    #[inline(always)]
    fn first(self, n: usize) -> __mmask16 {
        if n >= 16 { 0xffff } else { (1 << n) - 1 }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, x: __m512) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_ps(p, x) }
    }
    #[inline(always)]
    unsafe fn load_part(self, part: __mmask16, p: *const f32) -> __m512 {
        // SAFETY: the caller's promise; masked lanes are not touched.
        unsafe { _mm512_maskz_loadu_ps(part, p) }
    }
    #[inline(always)]
    unsafe fn store_part(self, part: __mmask16, p: *mut f32, x: __m512) {
        // SAFETY: the caller's promise; masked lanes are not touched.
        unsafe { _mm512_mask_storeu_ps(p, part, x) }
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
            let mut x = [_mm512_setzero_ps(); 16];
            for (r, row) in x.iter_mut().enumerate() {
                if r < rows {
                    *row = _mm512_maskz_loadu_ps(take, src.add(r * lds));
                }
            }
            let x = columns(x);
            for (c, column) in x.iter().enumerate() {
                if c < cols {
                    _mm512_mask_storeu_ps(dst.add(c * ldd), give, *column);
                }
            }
        }
    }
}

/// The columns of sixteen rows, by halves: pairs, fours, then 128-bit quarters.
#[inline(always)]
unsafe fn columns(x: [__m512; 16]) -> [__m512; 16] {
    // SAFETY: called with the token's features.
    unsafe {
        let mut y = x;
        for i in 0..8 {
            y[2 * i] = _mm512_unpacklo_ps(x[2 * i], x[2 * i + 1]);
            y[2 * i + 1] = _mm512_unpackhi_ps(x[2 * i], x[2 * i + 1]);
        }
        let mut x = y;
        for i in 0..4 {
            for j in 0..2 {
                let (a, b) = (_mm512_castps_pd(y[4 * i + j]), _mm512_castps_pd(y[4 * i + j + 2]));
                x[4 * i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                x[4 * i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
            }
        }
        // Now 128-bit quarter q of x[4 g + c] holds column 4 q + c of rows 4 g to 4 g + 3.
        for c in 0..4 {
            let low = _mm512_shuffle_f32x4::<0x88>(x[c], x[4 + c]);
            let high = _mm512_shuffle_f32x4::<0xdd>(x[c], x[4 + c]);
            let low2 = _mm512_shuffle_f32x4::<0x88>(x[8 + c], x[12 + c]);
            let high2 = _mm512_shuffle_f32x4::<0xdd>(x[8 + c], x[12 + c]);
            y[c] = _mm512_shuffle_f32x4::<0x88>(low, low2);
            y[8 + c] = _mm512_shuffle_f32x4::<0xdd>(low, low2);
            y[4 + c] = _mm512_shuffle_f32x4::<0x88>(high, high2);
            y[12 + c] = _mm512_shuffle_f32x4::<0xdd>(high, high2);
        }
        y
    }
}
