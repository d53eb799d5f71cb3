// Packing of weights into panels: [panel][k or pair of k][lane](pair). Runs once per weight; no instruction set of its
// own.
#include "kernels.h"

#include <string.h>

int qv_panel_lanes(const qv_kernels *kernels) {
    return kernels->primitives == NULL ? 1 : kernels->primitives->lanes * kernels->primitives->vectors;
}

size_t qv_matrix_bytes(const qv_kernels *kernels, qv_weight_format format, int64_t rows, int64_t columns) {
    if (qv_is_quantized(format))
        return (size_t)(qv_ceil_div(rows, QV_Q_LANES) * qv_ceil_div(columns, QV_Q_BLOCK)) *
               qv_quantized_block_bytes(format);
    const int64_t padded_rows = qv_round_up(rows, qv_panel_lanes(kernels));
    return qv_lines((size_t)(padded_rows * qv_padded_k(format, columns)) * qv_weight_size(format));
}

typedef struct {
    qv_weight_format format;
    int64_t rows, columns, first_row, count;
    const uint8_t *source;
    qv_type type;
    uint8_t *data;
    int lanes;
} pack_job;

void qv_to_f32(const uint8_t *source, qv_type type, int64_t count, float *out) {
    if (type == QV_TYPE_F32) {
        memcpy(out, source, (size_t)count * 4);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, source + 2 * i, sizeof half);
        out[i] = type == QV_TYPE_BF16 ? qv_from_bf16(half) : qv_from_f16(half);
    }
}

static void to_bf16(const uint8_t *source, qv_type type, int64_t count, uint16_t *out) {
    if (type == QV_TYPE_BF16) {
        memcpy(out, source, (size_t)count * 2);
        return;
    }
    float wide[QV_K_BLOCK];
    qv_to_f32(source, type, count, wide);
    for (int64_t i = 0; i < count; i++)
        out[i] = qv_to_bf16(wide[i]);
}

/// One panel of outputs. k is walked in blocks small enough that a block of all lanes stays in the first-level cache.
static void pack_task(void *context, int64_t task, int worker) {
    (void)worker;
    const pack_job *job = context;
    const int lanes = job->lanes;
    const int64_t panel = job->first_row / lanes + task;
    const int first = (int)qv_max(0, job->first_row - panel * lanes);
    const int end = (int)qv_min(lanes, job->first_row + job->count - panel * lanes);
    const bool last = panel * lanes + end == job->rows;
    const size_t row_bytes = (size_t)job->columns * (job->type == QV_TYPE_F32 ? 4 : 2);
    // Row 0 of the panel in the source; before the source's beginning when the panel starts in an earlier one.
    const int64_t row = panel * lanes - job->first_row;
    const int64_t padded = qv_padded_k(job->format, job->columns);
    uint32_t block[QV_MAX_PANEL][QV_K_BLOCK];

    for (int64_t k = 0; k < job->columns; k += QV_K_BLOCK) {
        const int64_t count = qv_min(QV_K_BLOCK, job->columns - k);
        for (int lane = first; lane < end; lane++) {
            const uint8_t *from =
                job->source + (size_t)(row + lane) * row_bytes + (size_t)k * (job->type == QV_TYPE_F32 ? 4 : 2);
            if (job->format == QV_WEIGHT_BF16) {
                uint16_t half[QV_K_BLOCK + 1];
                to_bf16(from, job->type, count, half);
                half[count] = 0; // the partner of an odd last value
                memcpy(block[lane], half, (size_t)(count + 1) / 2 * 4);
            } else {
                float wide[QV_K_BLOCK];
                qv_to_f32(from, job->type, count, wide);
                memcpy(block[lane], wide, (size_t)count * 4);
            }
        }
        const int64_t words = job->format == QV_WEIGHT_BF16 ? (count + 1) / 2 : count;
        const int64_t first_word = job->format == QV_WEIGHT_BF16 ? k / 2 : k;
        const int64_t panel_words = job->format == QV_WEIGHT_BF16 ? padded / 2 : padded;
        uint32_t *out = (uint32_t *)(void *)job->data + (panel * panel_words + first_word) * lanes;
        for (int64_t i = 0; i < words; i++) {
            for (int lane = first; lane < end; lane++)
                out[i * lanes + lane] = block[lane][i];
            if (last)
                for (int lane = end; lane < lanes; lane++)
                    out[i * lanes + lane] = 0;
        }
    }
}

void qv_matrix_pack(const qv_kernels *kernels, qv_pool *pool, qv_weight_format format, int64_t rows, int64_t columns,
                    const void *source, qv_type source_type, int64_t first_row, int64_t count, void *data) {
    if (count <= 0)
        return;
    if (qv_is_quantized(format)) {
        qv_quantized_pack(kernels, pool, format, rows, columns, source, source_type, first_row, count, data);
        return;
    }
    pack_job job = {.format = format,
                    .rows = rows,
                    .columns = columns,
                    .first_row = first_row,
                    .count = count,
                    .source = source,
                    .type = source_type,
                    .data = data,
                    .lanes = qv_panel_lanes(kernels)};
    const int64_t panels = (first_row + count - 1) / job.lanes - first_row / job.lanes + 1;
    qv_pool_run(pool, panels, pack_task, &job);
}
