// NEON with the products of matrices of bytes (Armv8.6; Apple M2, Graviton 3 and later).
#if defined(__aarch64__)
#include "../common/kernels.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)

#define QV_LANES 4
#define QV_VECTORS 4
// 24 accumulators, four vectors of weights and a broadcast: 29 of 32 registers.
#define QV_F32_ROWS 6
#define QV_BF16_ROWS 6
// In bytes as well, since two rows share an accumulator.
#define QV_I8_ROWS 12
#define QV_I4_ROWS 4
#define QV_DOT_SIGNED
#define QV_MMLA
#define QV_TABLE qv_kernels_neoni8mm
#define QV_TABLE_NAME "neoni8mm"

#include "../common/simd.inc"

QV_INLINE vi dot_bytes(vi sum, vu w, vi x) {
    return (vi)vdotq_s32((int32x4_t)sum, (int8x16_t)w, (int8x16_t)x);
}
QV_INLINE vi multiply_bytes(vi sum, vu w, vi x) {
    return (vi)vusmmlaq_s32((int32x4_t)sum, (uint8x16_t)w, (int8x16_t)x);
}

#include "../common/isa.inc"

#pragma clang attribute pop
#endif
