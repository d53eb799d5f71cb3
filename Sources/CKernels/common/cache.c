// The layout of keys and values for tiles, in the KV cache and in the scratch of vision attention alike.
//
// One head's part of a block of 64 tokens: first the keys as a panel operand with tokens as lanes,
// [64 / panel lanes][head_size or pairs of it][panel lanes](pair), then the values as one with head_size as lanes,
// [head_size / panel lanes][64 tokens or pairs of them][panel lanes](pair). The values' last panel is as wide as
// whole vectors make it.
//
// In 8 bits: the scales of the 64 tokens' keys and of their values, then one byte for each value of the above in the
// same order, so that unpacking goes straight through.
#include "attention.h"

#include <string.h>

size_t qv_kv_keys_bytes(const qv_kernels *kernels, qv_weight_format format, int head_size) {
    (void)kernels;
    return (size_t)(QV_KV_BLOCK_TOKENS * qv_padded_k(format, head_size)) * qv_weight_size(format);
}

int qv_kv_value_lanes(const qv_kernels *kernels, int head_size) {
    return (int)qv_round_up(head_size, kernels->primitives->lanes);
}

size_t qv_kv_operand_bytes(const qv_kernels *kernels, qv_weight_format format, int head_size) {
    return qv_kv_keys_bytes(kernels, format, head_size) +
           (size_t)(QV_KV_BLOCK_TOKENS * qv_kv_value_lanes(kernels, head_size)) * qv_weight_size(format);
}

size_t qv_tiled_kv_head_bytes(const qv_kernels *kernels, qv_weight_format format, qv_kv_storage storage,
                              int head_size) {
    const size_t operand = qv_kv_operand_bytes(kernels, format, head_size);
    return storage == QV_KV_I8 ? qv_lines(QV_KV_SCALES_BYTES + operand / qv_weight_size(format)) : operand;
}

/// Plain keys and values.
///
/// A block is wiped when its first slot is written: values of slots not yet written meet probabilities of 0,
/// and 0 times whatever lay there must be 0.
void qv_kv_pack(const qv_kernels *kernels, qv_weight_format format, const qv_kv_rows *rows, uint8_t *block) {
    if (rows->first_slot == 0 &&
        (rows->count < QV_KV_BLOCK_TOKENS || rows->head_size % kernels->primitives->lanes != 0))
        memset(block, 0, qv_kv_operand_bytes(kernels, format, rows->head_size));
    uint8_t *values = block + qv_kv_keys_bytes(kernels, format, rows->head_size);
    kernels->primitives->pack_keys[format](rows, block);
    kernels->primitives->pack_values[format](rows, values);
}

/// Value i of the keys in slot `slot`: its place in the operand, counted in values.
static int64_t key_place(const qv_kernels *kernels, qv_weight_format format, int head_size, int slot, int i) {
    const int lanes = qv_panel_lanes(kernels), together = format == QV_WEIGHT_BF16 ? 2 : 1;
    const int64_t words = qv_padded_k(format, head_size) / together;
    return ((slot / lanes * words + i / together) * lanes + slot % lanes) * together + i % together;
}

static int64_t value_place(const qv_kernels *kernels, qv_weight_format format, int head_size, int slot, int i) {
    const int lanes = qv_panel_lanes(kernels), together = format == QV_WEIGHT_BF16 ? 2 : 1;
    const int column = i / lanes * lanes, left = qv_kv_value_lanes(kernels, head_size) - column;
    const int wide = left < lanes ? left : lanes;
    return (int64_t)column * QV_KV_BLOCK_TOKENS + (slot / together * wide + i - column) * together + slot % together;
}

void qv_tiled_kv_append(const qv_kernels *kernels, const qv_kv_layer *layer, const qv_kv_rows *rows, uint8_t *block) {
    const qv_weight_format format = layer->format;
    const int head_size = layer->head_size;
    if (layer->storage == QV_KV_PLAIN) {
        qv_kv_pack(kernels, format, rows, block);
        return;
    }
    if (rows->first_slot == 0)
        memset(block, 0, qv_tiled_kv_head_bytes(kernels, format, layer->storage, head_size));
    float *scales = (float *)(void *)block;
    int8_t *keys = (int8_t *)block + QV_KV_SCALES_BYTES;
    int8_t *values = keys + qv_kv_keys_bytes(kernels, format, head_size) / qv_weight_size(format);
    for (int t = 0; t < rows->count; t++) {
        const int slot = rows->first_slot + t;
        const float *k = rows->k + t * rows->stride, *v = rows->v + t * rows->stride;
        const float k_scale = qv_kv_scale(k, head_size), v_scale = qv_kv_scale(v, head_size);
        scales[slot] = k_scale;
        scales[QV_KV_BLOCK_TOKENS + slot] = v_scale;
        for (int i = 0; i < head_size; i++) {
            keys[key_place(kernels, format, head_size, slot, i)] = qv_kv_quantized(k[i], k_scale);
            values[value_place(kernels, format, head_size, slot, i)] = qv_kv_quantized(v[i], v_scale);
        }
    }
}

void qv_kv_unpack(const qv_kernels *kernels, const qv_kv_layer *layer, const uint8_t *block, int tokens,
                  uint8_t *operand) {
    const size_t keys_bytes = qv_kv_keys_bytes(kernels, layer->format, layer->head_size);
    const float *scales = (const float *)(const void *)block;
    const int8_t *keys = (const int8_t *)block + QV_KV_SCALES_BYTES;
    const int8_t *values = keys + keys_bytes / qv_weight_size(layer->format);
    kernels->primitives->unpack_keys[layer->format](layer->head_size, tokens, keys, scales, operand);
    kernels->primitives->unpack_values[layer->format](layer->head_size, tokens, values, scales + QV_KV_BLOCK_TOKENS,
                                                      operand + keys_bytes);
}
