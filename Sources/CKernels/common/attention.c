// Attention over spans of keys with the online softmax of FlashAttention (Dao et al. 2022), one tile of query rows
// at a time. Each span starts anew and is merged into what came before, always in the same order, so that splitting
// a context over threads gives the bits that going through it in one piece gives.
#include "attention.h"

#include <math.h>
#include <string.h>

int qv_attention_rows_per_task(const qv_kernels *kernels, qv_weight_format format) {
    return kernels->primitives->max_rows[format] * QV_TILES_PER_TASK;
}

static size_t query_bytes(const qv_kernels *kernels, qv_weight_format format, int head_size, int rows) {
    return (size_t)(rows * qv_round_up(head_size, QV_K_BLOCK)) * (size_t)kernels->primitives->x_size[format];
}

qv_attention_worker qv_attention_worker_at(const qv_kernels *kernels, qv_weight_format format, int head_size,
                                           uint8_t *memory) {
    const int rows = qv_attention_rows_per_task(kernels, format), lanes = qv_kv_value_lanes(kernels, head_size);
    const int tile = kernels->primitives->max_rows[format];
    qv_attention_worker worker;
    worker.q = qv_take(&memory, query_bytes(kernels, format, head_size, rows));
    worker.out = qv_take(&memory, (size_t)(rows * lanes) * sizeof(float));
    worker.maximum = qv_take(&memory, (size_t)rows * sizeof(float));
    worker.sum = qv_take(&memory, (size_t)rows * sizeof(float));
    worker.scores = qv_take(&memory, (size_t)(tile * QV_SPAN) * sizeof(float));
    worker.probabilities = qv_take(&memory, (size_t)(tile * QV_SPAN * kernels->primitives->x_size[format]));
    worker.step = qv_take(&memory, (size_t)(tile * lanes) * sizeof(float));
    return worker;
}

size_t qv_attention_worker_bytes(const qv_kernels *kernels, qv_weight_format format, int head_size) {
    const int rows = qv_attention_rows_per_task(kernels, format), lanes = qv_kv_value_lanes(kernels, head_size);
    const int tile = kernels->primitives->max_rows[format];
    return qv_lines(query_bytes(kernels, format, head_size, rows)) + qv_lines((size_t)(rows * lanes) * sizeof(float)) +
           2 * qv_lines((size_t)rows * sizeof(float)) + qv_lines((size_t)(tile * QV_SPAN) * sizeof(float)) +
           qv_lines((size_t)(tile * QV_SPAN * kernels->primitives->x_size[format])) +
           qv_lines((size_t)(tile * lanes) * sizeof(float));
}

typedef struct {
    int count, rows;
} tiling;

static tiling tile_rows(const qv_attention_step *step) {
    const int most = step->kernels->primitives->max_rows[step->format];
    return (tiling){.count = (step->rows + most - 1) / most, .rows = step->rows};
}

static int tile_start(tiling t, int tile) {
    const int larger = t.rows % t.count;
    return tile * (t.rows / t.count) + (tile < larger ? tile : larger);
}

void qv_attention_pack_queries(const qv_attention_step *step, const float *const *rows,
                               const qv_attention_worker *worker) {
    const tiling t = tile_rows(step);
    for (int tile = 0; tile < t.count; tile++) {
        const int first = tile_start(t, tile), count = tile_start(t, tile + 1) - first;
        step->kernels->primitives->pack_rows[step->format](
            count, step->head_size, rows + first,
            worker->q + query_bytes(step->kernels, step->format, step->head_size, first));
    }
}

void qv_attention_begin(const qv_attention_step *step, const qv_attention_worker *worker) {
    for (int r = 0; r < step->rows; r++) {
        worker->maximum[r] = -INFINITY;
        worker->sum[r] = 0;
    }
}

/// scores = q kᵀ for the first `keys` keys of the span.
static void score(const qv_attention_step *step, int rows, const uint8_t *q, int keys, float *scores) {
    const qv_primitives *isa = step->kernels->primitives;
    const int lanes = qv_panel_lanes(step->kernels);
    const qv_tile tile = isa->tiles[step->format][(isa->vectors - 1) * QV_MAX_ROWS + rows - 1];
    const size_t panel = (size_t)(lanes * qv_padded_k(step->format, step->head_size)) * qv_weight_size(step->format);
    for (int key = 0; key < keys; key += lanes)
        tile(step->blocks[key / QV_KV_BLOCK_TOKENS] + (size_t)(key % QV_KV_BLOCK_TOKENS / lanes) * panel, q,
             step->head_size, scores + key, QV_SPAN, false);
}

/// out = probabilities v over the first `keys` keys.
static void weigh(const qv_attention_step *step, int rows, const uint8_t *probabilities, int keys, float *out) {
    const qv_primitives *isa = step->kernels->primitives;
    const int columns = qv_kv_value_lanes(step->kernels, step->head_size), lanes = qv_panel_lanes(step->kernels);
    const size_t block_bytes = (size_t)(rows * QV_K_BLOCK * isa->x_size[step->format]);
    const size_t keys_bytes = qv_kv_keys_bytes(step->kernels, step->format, step->head_size);
    for (int column = 0; column < columns; column += lanes) {
        const int vectors = (int)qv_min(isa->vectors, (columns - column) / isa->lanes);
        const qv_tile tile = isa->tiles[step->format][(vectors - 1) * QV_MAX_ROWS + rows - 1];
        const size_t offset = keys_bytes + (size_t)(column * QV_KV_BLOCK_TOKENS) * qv_weight_size(step->format);
        for (int key = 0; key < keys; key += QV_KV_BLOCK_TOKENS)
            tile(step->blocks[key / QV_KV_BLOCK_TOKENS] + offset,
                 probabilities + (size_t)(key / QV_K_BLOCK) * block_bytes, qv_min(QV_K_BLOCK, keys - key), out + column,
                 columns, key > 0);
    }
}

void qv_attention_span(const qv_attention_step *step, const int *visible, const qv_attention_worker *worker) {
    const qv_primitives *isa = step->kernels->primitives;
    const int columns = qv_kv_value_lanes(step->kernels, step->head_size);
    const tiling t = tile_rows(step);
    for (int tile = 0; tile < t.count; tile++) {
        const int first = tile_start(t, tile), rows = tile_start(t, tile + 1) - first;
        int keys = 0;
        for (int r = 0; r < rows; r++)
            keys = visible[first + r] > keys ? visible[first + r] : keys;
        if (keys == 0)
            continue;
        score(step, rows, worker->q + query_bytes(step->kernels, step->format, step->head_size, first), keys,
              worker->scores);
        float maximum[QV_MAX_ROWS], sum[QV_MAX_ROWS];
        const qv_softmax_args softmax = {.rows = rows,
                                         .keys = keys,
                                         .scores = worker->scores,
                                         .visible = visible + first,
                                         .scale_log2 = step->scale_log2,
                                         .probabilities = worker->probabilities,
                                         .maximum = maximum,
                                         .sum = sum};
        isa->softmax[step->format](&softmax);
        weigh(step, rows, worker->probabilities, keys, worker->step);
        const qv_merge_args merge = {.rows = rows,
                                     .columns = columns,
                                     .visible = visible + first,
                                     .add = worker->step,
                                     .add_stride = columns,
                                     .add_maximum = maximum,
                                     .add_sum = sum,
                                     .out = worker->out + first * columns,
                                     .out_stride = columns,
                                     .maximum = worker->maximum + first,
                                     .sum = worker->sum + first};
        isa->merge(&merge);
    }
}

void qv_attention_write(const qv_attention_step *step, const float *out, const float *sum, float *const *to) {
    const int columns = qv_kv_value_lanes(step->kernels, step->head_size);
    for (int r = 0; r < step->rows; r++)
        step->kernels->primitives->scale_row(step->head_size, out + (int64_t)r * columns, 1 / sum[r], to[r]);
}
