// AVX-512 F, BW, DQ, VL (Skylake-X and later).
#if defined(__x86_64__)
#include "../common/kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl"))),              \
                             apply_to = function)

#define QV_LANES 16
#define QV_VECTORS 2
// 28 accumulators, two vectors of weights and a broadcast: 31 of 32 registers.
#define QV_F32_ROWS 14
#define QV_BF16_ROWS 14
// 16 sums, eight vectors of weights and what a product passes through.
#define QV_I8_ROWS 8
#define QV_I4_ROWS 8
#define QV_WIDE_X
#define QV_OWN_SCALE_BY_POWER
#define QV_TABLE qv_kernels_avx512
#define QV_TABLE_NAME "avx512"

typedef float own_vf __attribute__((ext_vector_type(16)));

static inline __attribute__((always_inline)) own_vf scale_by_power(own_vf x, own_vf n) {
    return (own_vf)_mm512_scalef_ps((__m512)x, (__m512)n);
}

#include "../common/simd.inc"

// 16-bit factors: products of bytes saturate in 16 bits.
QV_INLINE vi dot_words(vi a, vi b) {
    return (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b);
}
#include "../common/isa.inc"

#pragma clang attribute pop
#endif
