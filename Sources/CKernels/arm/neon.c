// NEON, part of every 64-bit ARM.
#if defined(__aarch64__)
#include "../common/kernels.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

#define QV_LANES 4
#define QV_VECTORS 4
// 24 accumulators, four vectors of weights and a broadcast: 29 of 32 registers.
#define QV_F32_ROWS 6
#define QV_BF16_ROWS 6
// 16 sums, four vectors of weights and what a product passes through.
#define QV_I8_ROWS 4
#define QV_I4_ROWS 4
#define QV_DOT_SIGNED
#define QV_TABLE qv_kernels_neon
#define QV_TABLE_NAME "neon"

#include "../common/simd.inc"

QV_INLINE vi dot_bytes(vi sum, vu w, vi x) {
    const int8x16_t a = (int8x16_t)w, b = (int8x16_t)x;
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return sum + (vi)vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
}
#include "../common/isa.inc"
#endif
