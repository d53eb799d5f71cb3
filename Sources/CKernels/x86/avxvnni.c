// AVX2 with the dot product of bytes (Alder Lake and later, where there is no AVX-512).
#if defined(__x86_64__)
#include "../common/kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)

#define QV_LANES 8
#define QV_VECTORS 2
// 12 accumulators, two vectors of weights and a broadcast: 15 of 16 registers.
#define QV_F32_ROWS 6
#define QV_BF16_ROWS 6
// The same in bytes. In 4 bits steps and offsets of two parts, and what is being unpacked, need registers too.
#define QV_I8_ROWS 6
#define QV_I4_ROWS 4
#define QV_DOT_BYTES
#define QV_TABLE qv_kernels_avxvnni
#define QV_TABLE_NAME "avxvnni"

#include "../common/simd.inc"

QV_INLINE vi dot_bytes(vi sum, vu w, vi x) {
    return (vi)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)w, (__m256i)x);
}
#include "../common/isa.inc"

#pragma clang attribute pop
#endif
