#include "resample.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

// Rows that go along together: the additions of one row wait for each other, those of several do not.
enum { ROWS = 4 };

// The three bytes of a pixel, and one behind them, as numbers.
static inline __m128 pixel_at(const uint8_t *bytes) {
    int32_t four;
    memcpy(&four, bytes, sizeof four);
    return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four)));
}

// Reads one byte past each row's last tap and writes one number past each output pixel, which the next one overwrites.
static void horizontal_rows(const uint8_t *input, size_t input_stride, const cpixels_float_taps *taps, float *output) {
    size_t output_stride = (size_t)taps->output_count * 3;
    for (int32_t i = 0; i < taps->output_count; i++) {
        const float *weights = taps->weights + (size_t)i * (size_t)taps->stride;
        const uint8_t *pixels = input + (size_t)taps->starts[i] * 3;
        __m128 sums[ROWS];
        for (int r = 0; r < ROWS; r++)
            sums[r] = _mm_setzero_ps();
        for (int32_t t = 0; t < taps->counts[i]; t++, pixels += 3) {
            __m128 weight = _mm_set1_ps(weights[t]);
            for (int r = 0; r < ROWS; r++)
                sums[r] = _mm_fmadd_ps(pixel_at(pixels + (size_t)r * input_stride), weight, sums[r]);
        }
        for (int r = 0; r < ROWS; r++) {
            float *out = output + (size_t)r * output_stride + (size_t)i * 3;
            _mm_storel_pi((__m64 *)out, sums[r]);
            out[2] = _mm_cvtss_f32(_mm_movehl_ps(sums[r], sums[r]));
        }
    }
}

static void horizontal_avx2(const uint8_t *input, int32_t width, int32_t row_count, const cpixels_float_taps *taps,
                            float *output) {
    size_t input_stride = (size_t)width * 3, output_stride = (size_t)taps->output_count * 3;
    int32_t y = 0;
    // The last row goes through the plain code: behind its last pixel there is no byte to read.
    for (; y + ROWS + 1 <= row_count; y += ROWS)
        horizontal_rows(input + (size_t)y * input_stride, input_stride, taps, output + (size_t)y * output_stride);
    cpixels_float_horizontal_generic(input + (size_t)y * input_stride, width, row_count - y, taps,
                                     output + (size_t)y * output_stride);
}

// Output values of a step: four registers of sums.
enum { BLOCK = 32 };

static inline void vertical_block(const float *column, size_t row_values, int32_t count, const float *weights,
                                  uint8_t *output) {
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    for (int32_t t = 0; t < count; t++, column += row_values) {
        __m256 weight = _mm256_set1_ps(weights[t]);
        for (int q = 0; q < 4; q++)
            sums[q] = _mm256_fmadd_ps(_mm256_loadu_ps(column + 8 * q), weight, sums[q]);
    }
    __m256i whole[4];
    const __m256 zero = _mm256_setzero_ps(), most = _mm256_set1_ps(255);
    for (int q = 0; q < 4; q++)
        whole[q] = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(sums[q], zero), most));
    __m256i words[2] = {_mm256_packs_epi32(whole[0], whole[1]), _mm256_packs_epi32(whole[2], whole[3])};
    // Packing works within halves of registers; groups of four bytes are put back in order.
    __m256i bytes =
        _mm256_permutevar8x32_epi32(_mm256_packus_epi16(words[0], words[1]), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)output, bytes);
}

static void vertical_avx2(const float *input, size_t row_values, const cpixels_float_taps *taps, uint8_t *output) {
    for (int32_t i = 0; i < taps->output_count; i++) {
        const float *column = input + (size_t)taps->starts[i] * row_values;
        const float *weights = taps->weights + (size_t)i * (size_t)taps->stride;
        uint8_t *out = output + (size_t)i * row_values;
        size_t x = 0;
        for (; x + BLOCK <= row_values; x += BLOCK)
            vertical_block(column + x, row_values, taps->counts[i], weights, out + x);
        cpixels_float_vertical_values(column + x, row_values, taps->counts[i], weights, row_values - x, out + x);
    }
}

static const cpixels_float_resampler avx2 = {"avx2", horizontal_avx2, vertical_avx2};

const cpixels_float_resampler *cpixels_float_resampler_avx2(void) {
    return &avx2;
}

#pragma clang attribute pop

#endif
