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
// 8 sums, four vectors of weights and what a product passes through.
#define QV_I8_ROWS 4
#define QV_I4_ROWS 4
#define QV_WIDE_X
#define QV_TABLE qv_kernels_avx2
#define QV_TABLE_NAME "avx2"

#include "../common/simd.inc"

// 16-bit factors: products of bytes saturate in 16 bits.
QV_INLINE vi dot_words(vi a, vi b) {
    return (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}
#include "../common/isa.inc"

#pragma clang attribute pop
#endif
