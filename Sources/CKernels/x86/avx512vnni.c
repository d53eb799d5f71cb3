// AVX-512 with the dot product of bytes (Cascade Lake, Ice Lake).
#if defined(__x86_64__)
#include "../common/kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl,avx512vnni"))),   \
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
#define QV_OWN_SCALE_BY_POWER
#define QV_TABLE qv_kernels_avx512vnni
#define QV_TABLE_NAME "avx512vnni"

typedef float own_vf __attribute__((ext_vector_type(16)));

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
