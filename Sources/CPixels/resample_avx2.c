#include "resample.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

// vpmaddwd multiplies 16-bit numbers and adds neighbours. A 22-bit weight w goes through it as two halves,
// w = (w >> 11) * 2^11 + (w & 2047): both fit in 16 bits, and the shifted sums add up to the exact one modulo 2^32.
enum { LOW_BITS = 11, LOW_MASK = (1 << LOW_BITS) - 1 };

// Rows that share each expansion of the weights; eight sums then leave registers for the pixels.
enum { ROWS = 4 };
// Pixels per step: 12 bytes of a 16-byte load.
enum { PIXELS = 4, LOAD_BYTES = 16 };

static inline __m256i rounded(__m256i high, __m256i low) {
    return _mm256_add_epi32(_mm256_slli_epi32(high, LOW_BITS), low);
}

static inline void store_pixel(__m256i high, __m256i low, uint8_t *out) {
    __m256i halves = rounded(high, low);
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
    sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(CPIXELS_HALF)), CPIXELS_WEIGHT_BITS);
    __m128i words = _mm_packs_epi32(sum, sum);
    uint32_t rgb = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    uint16_t red_green = (uint16_t)rgb;
    memcpy(out, &red_green, 2);
    out[2] = (uint8_t)(rgb >> 16);
}

// Reads up to LOAD_BYTES + 9 bytes past each row's last tap; the weights there are zero.
static void horizontal_rows(const uint8_t *input, size_t input_stride, const cpixels_taps *taps, uint8_t *output) {
    // Low lane: pixels 0 and 1, high lane: pixels 2 and 3; as pairs (R, R), (G, G), (B, B) of 16 bits.
    const __m256i pixel_pairs = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, //
                                                 6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    const __m256i weight_pairs = _mm256_setr_epi8(0, 1, 4, 5, 0, 1, 4, 5, 0, 1, 4, 5, 0, 1, 4, 5, //
                                                  8, 9, 12, 13, 8, 9, 12, 13, 8, 9, 12, 13, 8, 9, 12, 13);
    const __m256i low_mask = _mm256_set1_epi32(LOW_MASK);
    size_t output_stride = (size_t)taps->output_count * 3;

    for (int32_t i = 0; i < taps->output_count; i++) {
        const int32_t *weights = taps->weights + (size_t)i * (size_t)taps->stride;
        const uint8_t *pixels = input + (size_t)taps->starts[i] * 3;
        __m256i high[ROWS], low[ROWS];
        for (int r = 0; r < ROWS; r++)
            high[r] = low[r] = _mm256_setzero_si256();
        for (int32_t t = 0; t < taps->counts[i]; t += PIXELS, pixels += PIXELS * 3) {
            __m256i w = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(weights + t)));
            __m256i w_high = _mm256_shuffle_epi8(_mm256_srai_epi32(w, LOW_BITS), weight_pairs);
            __m256i w_low = _mm256_shuffle_epi8(_mm256_and_si256(w, low_mask), weight_pairs);
            for (int r = 0; r < ROWS; r++) {
                __m128i bytes = _mm_loadu_si128((const __m128i *)(pixels + (size_t)r * input_stride));
                __m256i p = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), pixel_pairs);
                high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(p, w_high));
                low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(p, w_low));
            }
        }
        for (int r = 0; r < ROWS; r++)
            store_pixel(high[r], low[r], output + (size_t)r * output_stride + (size_t)i * 3);
    }
}

static void horizontal_avx2(const uint8_t *input, int32_t width, int32_t row_count, const cpixels_taps *taps,
                            uint8_t *output) {
    size_t input_stride = (size_t)width * 3;
    size_t output_stride = (size_t)taps->output_count * 3;
    // The rows from which a load could leave the picture go through the plain code.
    int32_t tail_rows = (int32_t)((LOAD_BYTES + 9 + input_stride - 1) / input_stride);
    int32_t y = 0;
    for (; y + ROWS + tail_rows <= row_count; y += ROWS)
        horizontal_rows(input + (size_t)y * input_stride, input_stride, taps, output + (size_t)y * output_stride);
    cpixels_horizontal_generic(input + (size_t)y * input_stride, width, row_count - y, taps,
                               output + (size_t)y * output_stride);
}

enum { BLOCK = 32 };

static inline __m256i words_of(__m256i high0, __m256i low0, __m256i high1, __m256i low1) {
    const __m256i half = _mm256_set1_epi32(CPIXELS_HALF);
    __m256i a = _mm256_srai_epi32(_mm256_add_epi32(rounded(high0, low0), half), CPIXELS_WEIGHT_BITS);
    __m256i b = _mm256_srai_epi32(_mm256_add_epi32(rounded(high1, low1), half), CPIXELS_WEIGHT_BITS);
    return _mm256_packs_epi32(a, b);
}

// 32 bytes of one output row.
static inline void vertical_block(const uint8_t *column, size_t row_bytes, int32_t count, const int32_t *weights,
                                  uint8_t *output) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i high[4] = {zero, zero, zero, zero}, low[4] = {zero, zero, zero, zero};
    for (int32_t t = 0; t < count; t += 2) {
        const uint8_t *first = column + (size_t)t * row_bytes;
        // The stride is a multiple of 4, so an odd count has a zero weight behind it; its row may not exist.
        const uint8_t *second = t + 1 < count ? first + row_bytes : first;
        uint32_t w0 = (uint32_t)weights[t], w1 = (uint32_t)weights[t + 1];
        uint32_t pair_high = ((uint32_t)(weights[t] >> LOW_BITS) & 0xffff) | (uint32_t)(weights[t + 1] >> LOW_BITS)
                                                                                 << 16;
        uint32_t pair_low = (w0 & LOW_MASK) | (w1 & LOW_MASK) << 16;
        __m256i w_high = _mm256_set1_epi32((int)pair_high);
        __m256i w_low = _mm256_set1_epi32((int)pair_low);
        __m256i a = _mm256_loadu_si256((const __m256i *)first);
        __m256i b = _mm256_loadu_si256((const __m256i *)second);
        __m256i ab[2] = {_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)};
        for (int q = 0; q < 4; q++) {
            __m256i p = q % 2 == 0 ? _mm256_unpacklo_epi8(ab[q / 2], zero) : _mm256_unpackhi_epi8(ab[q / 2], zero);
            high[q] = _mm256_add_epi32(high[q], _mm256_madd_epi16(p, w_high));
            low[q] = _mm256_add_epi32(low[q], _mm256_madd_epi16(p, w_low));
        }
    }
    __m256i bytes =
        _mm256_packus_epi16(words_of(high[0], low[0], high[1], low[1]), words_of(high[2], low[2], high[3], low[3]));
    _mm256_storeu_si256((__m256i *)output, bytes);
}

static void vertical_avx2(const uint8_t *input, size_t row_bytes, int32_t first_row, const cpixels_taps *taps,
                          uint8_t *output) {
    for (int32_t i = 0; i < taps->output_count; i++) {
        const uint8_t *column = input + (size_t)(taps->starts[i] - first_row) * row_bytes;
        const int32_t *weights = taps->weights + (size_t)i * (size_t)taps->stride;
        uint8_t *out = output + (size_t)i * row_bytes;
        size_t x = 0;
        for (; x + BLOCK <= row_bytes; x += BLOCK)
            vertical_block(column + x, row_bytes, taps->counts[i], weights, out + x);
        cpixels_vertical_bytes(column + x, row_bytes, taps->counts[i], weights, row_bytes - x, out + x);
    }
}

static const cpixels_resampler avx2 = {"avx2", horizontal_avx2, vertical_avx2};

const cpixels_resampler *cpixels_resampler_avx2(void) {
    return &avx2;
}

#pragma clang attribute pop

#endif
