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
#define QV_TABLE qv_kernels_avx2
#define QV_TABLE_NAME "avx2"

#include "../common/simd.inc"
#include "../common/isa.inc"

#pragma clang attribute pop
#endif
