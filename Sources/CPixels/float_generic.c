#include "resample.h"

#include <math.h>

void cpixels_float_horizontal_generic(const uint8_t *input, int32_t width, int32_t row_count,
                                      const cpixels_float_taps *taps, float *output) {
    for (int32_t y = 0; y < row_count; y++) {
        const uint8_t *row = input + (size_t)y * (size_t)width * 3;
        float *out = output + (size_t)y * (size_t)taps->output_count * 3;
        for (int32_t i = 0; i < taps->output_count; i++, out += 3) {
            const uint8_t *pixel = row + (size_t)taps->starts[i] * 3;
            const float *weights = taps->weights + (size_t)i * (size_t)taps->stride;
            float red = 0, green = 0, blue = 0;
            for (int32_t t = 0; t < taps->counts[i]; t++, pixel += 3) {
                red = fmaf(pixel[0], weights[t], red);
                green = fmaf(pixel[1], weights[t], green);
                blue = fmaf(pixel[2], weights[t], blue);
            }
            out[0] = red;
            out[1] = green;
            out[2] = blue;
        }
    }
}

void cpixels_float_vertical_values(const float *column, size_t row_values, int32_t count, const float *weights,
                                   size_t value_count, uint8_t *output) {
    for (size_t x = 0; x < value_count; x++) {
        float sum = 0;
        for (int32_t t = 0; t < count; t++)
            sum = fmaf(column[(size_t)t * row_values + x], weights[t], sum);
        sum = sum < 0 ? 0 : sum > 255 ? 255 : sum;
        output[x] = (uint8_t)rintf(sum);
    }
}

static void vertical_generic(const float *input, size_t row_values, const cpixels_float_taps *taps, uint8_t *output) {
    for (int32_t i = 0; i < taps->output_count; i++)
        cpixels_float_vertical_values(input + (size_t)taps->starts[i] * row_values, row_values, taps->counts[i],
                                      taps->weights + (size_t)i * (size_t)taps->stride, row_values,
                                      output + (size_t)i * row_values);
}

static const cpixels_float_resampler generic = {"generic", cpixels_float_horizontal_generic, vertical_generic};

const cpixels_float_resampler *cpixels_float_resampler_generic(void) {
    return &generic;
}

const cpixels_float_resampler *cpixels_float_resampler_best(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return cpixels_float_resampler_avx2();
#endif
    return &generic;
}
