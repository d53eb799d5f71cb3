// AVX2 with FMA (Haswell, Zen and later).
#if defined(__x86_64__)
#include "../common/kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define QV_LANES 8
#define QV_VECTORS 2
// 12 accumulators, two vectors of weights and a broadcast: 15 of 16 registers.
#define QV_F32_ROWS 6
#define QV_BF16_ROWS 6
// The same 15; in 4 bits with 16-bit sums, the 32-bit ones rest in memory.
#define QV_I8_ROWS 6
#define QV_I4_ROWS 6
#define QV_MADD
#define QV_TABLE qv_kernels_avx2
#define QV_TABLE_NAME "avx2"

#include "../common/simd.inc"

QV_INLINE vi madd_words(vi a, vi b) {
    return (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}
QV_INLINE vi madd_bytes(vu a, vi b) {
    return (vi)_mm256_maddubs_epi16((__m256i)a, (__m256i)b);
}
QV_INLINE vi widen_bytes(const void *p) {
    return (vi)_mm256_cvtepu8_epi16(_mm_loadu_si128(p));
}
QV_INLINE vi pair_sums(vi a, vi b) {
    const __m256i sums = _mm256_hadd_epi32((__m256i)a, (__m256i)b); // a's and b's by turns of two
    return (vi)_mm256_permute4x64_epi64(sums, _MM_SHUFFLE(3, 1, 2, 0));
}
#include "../common/isa.inc"

#pragma clang attribute pop
#endif
