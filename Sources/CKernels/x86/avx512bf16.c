// AVX-512 with the bfloat16 dot product (Zen 4, Sapphire Rapids and later).
#if defined(__x86_64__)
#include "../common/kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#pragma clang attribute push(                                                                                          \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx512bf16"))),                 \
    apply_to = function)

#define QV_LANES 16
#define QV_VECTORS 2
// 28 accumulators, two vectors of weights and a broadcast: 31 of 32 registers.
#define QV_F32_ROWS 14
#define QV_BF16_ROWS 14
// The same in bytes. In 4 bits steps and offsets of two parts, and what is being unpacked, need registers too.
#define QV_I8_ROWS 14
#define QV_I4_ROWS 8
#define QV_DOT_BYTES
#define QV_BF16_DOT
#define QV_OWN_TO_BF16
#define QV_OWN_PAIR_BF16
#define QV_OWN_PACK_BF16
#define QV_OWN_SCALE_BY_POWER
#define QV_TABLE qv_kernels_avx512bf16
#define QV_TABLE_NAME "avx512bf16"

typedef float own_vf __attribute__((ext_vector_type(16)));
typedef uint32_t own_vu __attribute__((ext_vector_type(16)));
typedef uint16_t own_vh __attribute__((ext_vector_type(16)));

// The instructions round to nearest even as the scalar code does, except that subnormal values count as 0.
static inline __attribute__((always_inline)) own_vh to_bf16(own_vf x) {
    return (own_vh)_mm512_cvtneps_pbh((__m512)x);
}
static inline __attribute__((always_inline)) own_vu pair_bf16(own_vf a, own_vf b) {
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)a));
    const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)b));
    return (own_vu)_mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}
static inline __attribute__((always_inline)) own_vu pack_bf16(own_vf a, own_vf b) {
    return (own_vu)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a);
}
static inline __attribute__((always_inline)) own_vf dot_bf16(own_vf sum, own_vu w, own_vu x) {
    return (own_vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)w, (__m512bh)x);
}
static inline __attribute__((always_inline)) own_vf scale_by_power(own_vf x, own_vf n) {
    return (own_vf)_mm512_scalef_ps((__m512)x, (__m512)n);
}

#include "../common/simd.inc"

QV_INLINE vi dot_bytes(vi sum, vu w, vi x) {
    return (vi)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)x);
}
#include "../common/isa.inc"

#pragma clang attribute pop
#endif
