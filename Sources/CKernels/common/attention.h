// What vision and cached attention share.
#ifndef QV_ATTENTION_H
#define QV_ATTENTION_H

#include "kernels.h"

/// Of a head's part of a block in 8 bits.
enum { QV_KV_SCALES_BYTES = 2 * QV_KV_BLOCK_TOKENS * sizeof(float) };

size_t qv_kv_keys_bytes(const qv_kernels *kernels, qv_weight_format format, int head_size);
/// One head's part of a block as attention takes it.
size_t qv_kv_operand_bytes(const qv_kernels *kernels, qv_weight_format format, int head_size);
void qv_kv_pack(const qv_kernels *kernels, qv_weight_format format, const qv_kv_rows *rows, uint8_t *block);
/// The first tokens of a block in 8 bits, as attention takes them.
void qv_kv_unpack(const qv_kernels *kernels, const qv_kv_layer *layer, const uint8_t *block, int tokens,
                  uint8_t *operand);
/// head_size rounded up to whole vectors.
int qv_kv_value_lanes(const qv_kernels *kernels, int head_size);

/// Query rows that one task takes through the keys together, so that keys and values come from the second-level cache.
enum { QV_TILES_PER_TASK = 8 };

/// Query rows of one KV head, all tiles of a task.
typedef struct {
    const qv_kernels *kernels;
    qv_weight_format format;
    int head_size, rows;
    float scale_log2;
    const uint8_t *blocks[QV_SPAN / QV_KV_BLOCK_TOKENS]; // this head's part of the span's blocks
} qv_attention_step;

/// Memory of one worker; see qv_attention_worker.
typedef struct {
    uint8_t *q;             // left operands of the task's tiles
    float *out;             // [rows, value lanes] running
    float *maximum, *sum;   // [rows] running
    float *scores;          // [tile rows, QV_SPAN]
    uint8_t *probabilities; // left operand
    float *step;            // [tile rows, value lanes]
    uint8_t *blocks;        // a span of an 8-bit cache, unpacked
} qv_attention_worker;

int qv_attention_rows_per_task(const qv_kernels *kernels, qv_weight_format format);
size_t qv_attention_worker_bytes(const qv_kernels *kernels, qv_weight_format format, int head_size);
qv_attention_worker qv_attention_worker_at(const qv_kernels *kernels, qv_weight_format format, int head_size,
                                           uint8_t *memory);

/// Packs `rows` query rows into tiles.
void qv_attention_pack_queries(const qv_attention_step *step, const float *const *rows,
                               const qv_attention_worker *worker);
/// Takes all rows of the task over one span of keys; row r sees the first visible[r] of them.
void qv_attention_span(const qv_attention_step *step, const int *visible, const qv_attention_worker *worker);
void qv_attention_begin(const qv_attention_step *step, const qv_attention_worker *worker);
/// to[r] = out[r] / sum[r]
void qv_attention_write(const qv_attention_step *step, const float *out, const float *sum, float *const *to);

#endif
