// NEON, part of every 64-bit ARM.
#if defined(__aarch64__)
#include "../common/kernels.h"

#include <math.h>
#include <string.h>

#define QV_LANES 4
#define QV_VECTORS 4
// 24 accumulators, four vectors of weights and a broadcast: 29 of 32 registers.
#define QV_F32_ROWS 6
#define QV_BF16_ROWS 6
#define QV_TABLE qv_kernels_neon
#define QV_TABLE_NAME "neon"

#include "../common/simd.inc"
#include "../common/isa.inc"
#endif
