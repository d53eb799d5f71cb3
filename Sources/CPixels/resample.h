#pragma once

#include "cpixels.h"

// Half of the last place, so that the shift rounds.
#define CPIXELS_HALF (1 << (CPIXELS_WEIGHT_BITS - 1))

void cpixels_horizontal_generic(const uint8_t *input, int32_t width, int32_t row_count, const cpixels_taps *taps,
                                uint8_t *output);
/// One output row of the vertical pass, or a part of it.
void cpixels_vertical_bytes(const uint8_t *column, size_t row_bytes, int32_t count, const int32_t *weights,
                            size_t byte_count, uint8_t *output);

void cpixels_float_horizontal_generic(const uint8_t *input, int32_t width, int32_t row_count,
                                      const cpixels_float_taps *taps, float *output);
/// A part of an output row of the vertical pass in single precision.
void cpixels_float_vertical_values(const float *column, size_t row_values, int32_t count, const float *weights,
                                   size_t value_count, uint8_t *output);

#if defined(__x86_64__)
const cpixels_float_resampler *cpixels_float_resampler_avx2(void);
const cpixels_resampler *cpixels_resampler_avx2(void);
#endif
