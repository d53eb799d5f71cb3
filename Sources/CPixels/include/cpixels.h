// Resampling of interleaved 8-bit RGB rows with 22-bit fixed-point weights.
//
// Every implementation gives the same bytes: the arithmetic is on integers, exact modulo 2^32, and the true sums fit.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { CPIXELS_WEIGHT_BITS = 22 };

/// How one axis is resampled. Output i is the weighted sum of the `counts[i]` inputs from `starts[i]` on.
typedef struct {
    int32_t output_count;
    int32_t stride;         // weights per output: a multiple of 4, and at least the largest count
    const int32_t *starts;  // [output_count]
    const int32_t *counts;  // [output_count]
    const int32_t *weights; // [output_count, stride], zero beyond each count
} cpixels_taps;

typedef struct {
    const char *name;
    /// `row_count` rows of `width` pixels each from `input` to rows of `taps->output_count` pixels. 3 bytes a pixel.
    void (*horizontal)(const uint8_t *input, int32_t width, int32_t row_count, const cpixels_taps *taps,
                       uint8_t *output);
    /// Rows of `row_bytes` bytes each to `taps->output_count` rows. `first_row` is the input row that `input` starts
    /// at.
    void (*vertical)(const uint8_t *input, size_t row_bytes, int32_t first_row, const cpixels_taps *taps,
                     uint8_t *output);
} cpixels_resampler;

/// Plain C: the reference for the others.
const cpixels_resampler *cpixels_resampler_generic(void);
/// The fastest that this processor runs.
const cpixels_resampler *cpixels_resampler_best(void);

/// The same in single precision: every output is one chain of fused multiplications and additions over its inputs, in
/// order, so that every implementation gives the same bits.
typedef struct {
    int32_t output_count;
    int32_t stride;        // weights per output
    const int32_t *starts; // [output_count]
    const int32_t *counts; // [output_count]
    const float *weights;  // [output_count, stride]
} cpixels_float_taps;

typedef struct {
    const char *name;
    /// `row_count` rows of `width` pixels of 3 bytes to rows of `taps->output_count` pixels of 3 numbers.
    void (*horizontal)(const uint8_t *input, int32_t width, int32_t row_count, const cpixels_float_taps *taps,
                       float *output);
    /// Rows of `row_values` numbers to `taps->output_count` rows of bytes: clipped, and rounded with halves to even.
    void (*vertical)(const float *input, size_t row_values, const cpixels_float_taps *taps, uint8_t *output);
} cpixels_float_resampler;

const cpixels_float_resampler *cpixels_float_resampler_generic(void);
const cpixels_float_resampler *cpixels_float_resampler_best(void);
