#include "resample.h"

static inline uint8_t clipped(int32_t sum) {
    int32_t value = sum >> CPIXELS_WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

void cpixels_horizontal_generic(const uint8_t *input, int32_t width, int32_t row_count, const cpixels_taps *taps,
                                uint8_t *output) {
    for (int32_t y = 0; y < row_count; y++) {
        const uint8_t *row = input + (size_t)y * (size_t)width * 3;
        uint8_t *out = output + (size_t)y * (size_t)taps->output_count * 3;
        for (int32_t i = 0; i < taps->output_count; i++, out += 3) {
            const uint8_t *pixel = row + (size_t)taps->starts[i] * 3;
            const int32_t *weights = taps->weights + (size_t)i * (size_t)taps->stride;
            int32_t red = CPIXELS_HALF, green = CPIXELS_HALF, blue = CPIXELS_HALF;
            for (int32_t t = 0; t < taps->counts[i]; t++, pixel += 3) {
                red += pixel[0] * weights[t];
                green += pixel[1] * weights[t];
                blue += pixel[2] * weights[t];
            }
            out[0] = clipped(red);
            out[1] = clipped(green);
            out[2] = clipped(blue);
        }
    }
}

void cpixels_vertical_bytes(const uint8_t *column, size_t row_bytes, int32_t count, const int32_t *weights,
                            size_t byte_count, uint8_t *output) {
    for (size_t x = 0; x < byte_count; x++) {
        int32_t sum = CPIXELS_HALF;
        for (int32_t t = 0; t < count; t++)
            sum += column[(size_t)t * row_bytes + x] * weights[t];
        output[x] = clipped(sum);
    }
}

static void vertical_generic(const uint8_t *input, size_t row_bytes, int32_t first_row, const cpixels_taps *taps,
                             uint8_t *output) {
    for (int32_t i = 0; i < taps->output_count; i++)
        cpixels_vertical_bytes(input + (size_t)(taps->starts[i] - first_row) * row_bytes, row_bytes, taps->counts[i],
                               taps->weights + (size_t)i * (size_t)taps->stride, row_bytes,
                               output + (size_t)i * row_bytes);
}

static const cpixels_resampler generic = {"generic", cpixels_horizontal_generic, vertical_generic};

const cpixels_resampler *cpixels_resampler_generic(void) {
    return &generic;
}

const cpixels_resampler *cpixels_resampler_best(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return cpixels_resampler_avx2();
#endif
    return &generic;
}
