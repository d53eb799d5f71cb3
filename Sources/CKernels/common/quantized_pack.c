// Packing of weights in 8 and 4 bits (the layout: docs/formats.md), random matrices, and rows of tables.
#include "kernels.h"

#include <string.h>

typedef struct {
    const qv_kernels *kernels;
    qv_weight_format format;
    int64_t rows, columns, first_row, count;
    const uint8_t *source;
    qv_type type;
    uint8_t *data;
} pack_job;

/// Where a lane's bytes of a block go: [step of 4 inputs][lane][4] in 8 bits, [two steps][lane][4] in 4, the second
/// step's values in the upper halves.
static void write_lane(qv_weight_format format, const qv_quantized_weights *w, int lane, uint8_t *block) {
    if (format == QV_WEIGHT_I8) {
        for (int i = 0; i < QV_Q_BLOCK; i += 4)
            memcpy(block + i * QV_Q_LANES + 4 * lane, w->values + i, 4);
        memcpy(block + QV_I8_VALUES + 2 * lane, &w->scale, 2);
        return;
    }
    for (int i = 0; i < QV_Q_BLOCK; i += 8)
        for (int j = 0; j < 4; j++)
            block[QV_I4_VALUES_AT + i / 2 * QV_Q_LANES + 4 * lane + j] =
                (uint8_t)(w->values[i + j] | w->values[i + 4 + j] << 4);
    for (int p = 0; p < QV_Q_PARTS; p++)
        block[p * QV_Q_LANES + lane] = w->parts[p];
    memcpy(block + QV_I4_SCALES_AT + 2 * lane, &w->scale, 2);
}

/// One panel of outputs.
static void pack_task(void *context, int64_t task, int worker) {
    (void)worker;
    const pack_job *job = context;
    const int64_t panel = job->first_row / QV_Q_LANES + task;
    const int first = (int)qv_max(0, job->first_row - panel * QV_Q_LANES);
    const int end = (int)qv_min(QV_Q_LANES, job->first_row + job->count - panel * QV_Q_LANES);
    const bool last = panel * QV_Q_LANES + end == job->rows;
    const size_t value_bytes = job->type == QV_TYPE_F32 ? 4 : 2;
    const int64_t row = panel * QV_Q_LANES - job->first_row;
    const size_t block_bytes = qv_quantized_block_bytes(job->format);
    uint8_t *block = job->data + (size_t)(panel * qv_ceil_div(job->columns, QV_Q_BLOCK)) * block_bytes;
    for (int64_t k = 0; k < job->columns; k += QV_Q_BLOCK, block += block_bytes) {
        const int64_t count = qv_min(QV_Q_BLOCK, job->columns - k);
        qv_quantized_weights quantized;
        for (int lane = first; lane < end; lane++) {
            float w[QV_Q_BLOCK] = {0};
            qv_to_f32(job->source + (size_t)((row + lane) * job->columns + k) * value_bytes, job->type, count, w);
            if (job->format == QV_WEIGHT_I8)
                job->kernels->quantize_weights_i8(w, &quantized);
            else
                job->kernels->quantize_weights_i4(w, &quantized);
            write_lane(job->format, &quantized, lane, block);
        }
        memset(&quantized, 0, sizeof quantized);
        for (int lane = end; last && lane < QV_Q_LANES; lane++)
            write_lane(job->format, &quantized, lane, block);
    }
}

void qv_quantized_pack(const qv_kernels *kernels, qv_pool *pool, qv_weight_format format, int64_t rows, int64_t columns,
                       const void *source, qv_type source_type, int64_t first_row, int64_t count, void *data) {
    pack_job job = {.kernels = kernels,
                    .format = format,
                    .rows = rows,
                    .columns = columns,
                    .first_row = first_row,
                    .count = count,
                    .source = source,
                    .type = source_type,
                    .data = data};
    const int64_t panels = (first_row + count - 1) / QV_Q_LANES - first_row / QV_Q_LANES + 1;
    qv_pool_run(pool, panels, pack_task, &job);
}

// ------------------------------------------------------------------------------------------------ random matrices

enum { FILL_BYTES = 1 << 20 };

typedef struct {
    qv_weight_format format;
    uint64_t seed;
    uint8_t *data;
    size_t bytes, unit, units_per_task;
} fill_job;

/// SplitMix64 (Steele et al. 2014).
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void fill_bytes(uint8_t *to, size_t bytes, uint64_t *state) {
    for (size_t i = 0; i < bytes; i += 8) {
        const uint64_t random = next_random(state);
        memcpy(to + i, &random, bytes - i < 8 ? bytes - i : 8);
    }
}

/// Values spread like those of trained weights: a standard deviation of some 0.02.
static void fill_unit(qv_weight_format format, uint8_t *unit, size_t bytes, uint64_t *state) {
    fill_bytes(unit, bytes, state);
    if (format == QV_WEIGHT_F32) {
        for (size_t i = 0; i + 4 <= bytes; i += 4) {
            int32_t random;
            memcpy(&random, unit + i, 4);
            const float value = (float)random * (0x1p-31f * 0.035f);
            memcpy(unit + i, &value, 4);
        }
    } else if (format == QV_WEIGHT_BF16) {
        for (size_t i = 0; i + 2 <= bytes; i += 2) {
            int16_t random;
            memcpy(&random, unit + i, 2);
            const uint16_t value = qv_to_bf16((float)random * (0x1p-15f * 0.035f));
            memcpy(unit + i, &value, 2);
        }
    } else {
        const size_t scales = bytes - 2 * QV_Q_LANES;
        const uint16_t scale = qv_to_bf16(format == QV_WEIGHT_I8 ? 0.02f / 73 : 0.02f / 53);
        for (size_t i = scales; i < bytes; i += 2)
            memcpy(unit + i, &scale, 2);
        for (size_t i = 0; format == QV_WEIGHT_I4 && i < QV_I4_VALUES_AT; i++)
            unit[i] = (uint8_t)(8 + unit[i] % 8) | 8 << 4;
    }
}

static void fill_task(void *context, int64_t task, int worker) {
    (void)worker;
    const fill_job *job = context;
    uint64_t state = job->seed + (uint64_t)task * 0xd1342543de82ef95;
    const size_t first = (size_t)task * job->units_per_task * job->unit;
    for (size_t at = first; at < first + job->units_per_task * job->unit && at < job->bytes; at += job->unit)
        fill_unit(job->format, job->data + at, job->bytes - at < job->unit ? job->bytes - at : job->unit, &state);
}

void qv_matrix_fill(const qv_kernels *kernels, qv_pool *pool, qv_weight_format format, int64_t rows, int64_t columns,
                    uint64_t seed, void *data) {
    fill_job job = {.format = format, .seed = seed, .data = data};
    job.bytes = qv_matrix_bytes(kernels, format, rows, columns);
    job.unit = qv_is_quantized(format) ? qv_quantized_block_bytes(format) : 4096;
    job.units_per_task = FILL_BYTES / job.unit;
    qv_pool_run(pool, qv_ceil_div((int64_t)job.bytes, (int64_t)(job.units_per_task * job.unit)), fill_task, &job);
}

// ------------------------------------------------------------------------------------------------ rows of tables

size_t qv_quantized_row_bytes(int64_t columns) {
    return (size_t)qv_ceil_div(columns, QV_Q_BLOCK) * (QV_Q_BLOCK + sizeof(uint16_t));
}

typedef struct {
    const qv_kernels *kernels;
    int64_t columns;
    const float *x;
    int64_t x_stride;
    uint8_t *out;
} rows_job;

static void rows_task(void *context, int64_t row, int worker) {
    (void)worker;
    const rows_job *job = context;
    uint8_t *values = job->out + (size_t)row * qv_quantized_row_bytes(job->columns);
    uint8_t *scales = values + qv_round_up(job->columns, QV_Q_BLOCK);
    for (int64_t k = 0; k < job->columns; k += QV_Q_BLOCK, values += QV_Q_BLOCK, scales += sizeof(uint16_t)) {
        float block[QV_Q_BLOCK] = {0};
        memcpy(block, job->x + row * job->x_stride + k, (size_t)qv_min(QV_Q_BLOCK, job->columns - k) * sizeof(float));
        qv_quantized_weights quantized;
        job->kernels->quantize_weights_i8(block, &quantized);
        memcpy(values, quantized.values, QV_Q_BLOCK);
        memcpy(scales, &quantized.scale, sizeof quantized.scale);
    }
}

void qv_quantize_rows(const qv_kernels *kernels, qv_pool *pool, int64_t count, int64_t columns, const float *x,
                      int64_t x_stride, void *out) {
    rows_job job = {.kernels = kernels, .columns = columns, .x = x, .x_stride = x_stride, .out = out};
    qv_pool_run(count * columns < 16384 ? NULL : pool, count, rows_task, &job);
}
