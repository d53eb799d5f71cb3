// The layout of keys and values for tiles, in the KV cache and in the scratch of vision attention alike.
//
// One head's part of a block of 64 tokens: first the keys as a panel operand with tokens as lanes,
// [64 / panel lanes][head_size or pairs of it][panel lanes](pair), then the values as one with head_size as lanes,
// [head_size / panel lanes][64 tokens or pairs of them][panel lanes](pair). The values' last panel is as wide as
// whole vectors make it.
#include "attention.h"

#include <string.h>

size_t qv_kv_keys_bytes(const qv_kernels *kernels, qv_weight_format format, int head_size) {
    (void)kernels;
    return (size_t)(QV_KV_BLOCK_TOKENS * qv_padded_k(format, head_size)) * qv_weight_size(format);
}

int qv_kv_value_lanes(const qv_kernels *kernels, int head_size) {
    return (int)qv_round_up(head_size, kernels->primitives->lanes);
}

size_t qv_tiled_kv_head_bytes(const qv_kernels *kernels, qv_weight_format format, int head_size) {
    return qv_kv_keys_bytes(kernels, format, head_size) +
           (size_t)(QV_KV_BLOCK_TOKENS * qv_kv_value_lanes(kernels, head_size)) * qv_weight_size(format);
}

/// A block is wiped when its first slot is written: values of slots not yet written meet probabilities of 0,
/// and 0 times whatever lay there must be 0.
void qv_tiled_kv_append(const qv_kernels *kernels, qv_weight_format format, const qv_kv_rows *rows, uint8_t *block) {
    if (rows->first_slot == 0 &&
        (rows->count < QV_KV_BLOCK_TOKENS || rows->head_size % kernels->primitives->lanes != 0))
        memset(block, 0, qv_tiled_kv_head_bytes(kernels, format, rows->head_size));
    uint8_t *values = block + qv_kv_keys_bytes(kernels, format, rows->head_size);
    kernels->primitives->pack_keys[format](rows, block);
    kernels->primitives->pack_values[format](rows, values);
}
