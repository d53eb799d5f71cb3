// Scalar code in the plainest form: what the other tables are compared with. Weights are packed row by row, the cache
// of a head is [64 tokens, head_size] keys and then as many values.
#pragma STDC FP_CONTRACT OFF
#include "../common/kernels.h"

#include <math.h>
#include <string.h>

#include "../common/quantize.inc"

/// What products see of an activation.
static float rounded(qv_weight_format format, float x) {
    return format == QV_WEIGHT_BF16 ? qv_from_bf16(qv_to_bf16(x)) : x;
}

static float stored(qv_weight_format format, const void *data, int64_t i) {
    return format == QV_WEIGHT_BF16 ? qv_from_bf16(((const uint16_t *)data)[i]) : ((const float *)data)[i];
}

// ------------------------------------------------------------------------------------------------ products

enum { QUANTIZED_X_BYTES = QV_Q_BLOCK + QV_Q_X_EXTRA };

static float dot_row(const qv_matrix *matrix, int64_t row, const float *x) {
    const int64_t start = row * qv_padded_k(matrix->format, matrix->columns);
    float sum = 0;
    for (int64_t i = 0; i < matrix->columns; i++)
        sum += stored(matrix->format, matrix->data, start + i) * rounded(matrix->format, x[i]);
    return matrix->bias ? sum + matrix->bias[row] : sum;
}

/// One value of a quantised weight, without its scale.
static int quantized_at(const qv_matrix *matrix, const uint8_t *block, int lane, int i) {
    if (matrix->format == QV_WEIGHT_I8)
        return block[i / 4 * 4 * QV_Q_LANES + 4 * lane + i % 4] - QV_Q_ZERO;
    const int pair = block[QV_I4_VALUES_AT + i / 8 * 4 * QV_Q_LANES + 4 * lane + i % 4];
    const int part = block[i / QV_Q_PART * QV_Q_LANES + lane];
    return (part & 15) * ((i % 8 < 4 ? pair & 15 : pair >> 4) - (part >> 4));
}

/// The sum in one block is exact, so its order does not matter; blocks follow in order.
static float quantized_dot_row(const qv_matrix *matrix, int64_t row, const uint8_t *x) {
    const int64_t blocks = qv_ceil_div(matrix->columns, QV_Q_BLOCK);
    const size_t block_bytes = qv_quantized_block_bytes(matrix->format);
    const uint8_t *block = (const uint8_t *)matrix->data + (size_t)(row / QV_Q_LANES * blocks) * block_bytes;
    const int lane = (int)(row % QV_Q_LANES);
    float sum = 0;
    for (int64_t b = 0; b < blocks; b++, block += block_bytes, x += QUANTIZED_X_BYTES) {
        int32_t dot = 0;
        for (int i = 0; i < QV_Q_BLOCK; i++)
            dot += quantized_at(matrix, block, lane, i) * ((const int8_t *)x)[i];
        float x_scale;
        uint16_t scale;
        memcpy(&x_scale, x + QV_Q_BLOCK, sizeof x_scale);
        memcpy(&scale, block + block_bytes - 2 * (size_t)(QV_Q_LANES - lane), sizeof scale);
        sum = fmaf((float)dot, qv_from_bf16(scale) * x_scale, sum);
    }
    return matrix->bias ? sum + matrix->bias[row] : sum;
}

typedef struct {
    const qv_linear_args *args;
    const uint8_t *quantized; // rows of x, in the quantised formats
} linear_job;

static float product(const linear_job *job, const qv_matrix *matrix, int64_t row, int64_t i) {
    if (job->quantized == NULL)
        return dot_row(matrix, row, job->args->x + i * job->args->x_stride);
    const int64_t blocks = qv_ceil_div(matrix->columns, QV_Q_BLOCK);
    return quantized_dot_row(matrix, row, job->quantized + (size_t)(i * blocks) * QUANTIZED_X_BYTES);
}

static void linear_task(void *context, int64_t row, int worker) {
    (void)worker;
    const linear_job *job = context;
    const qv_linear_args *args = job->args;
    for (int64_t i = 0; i < args->count; i++) {
        float *y = args->y + i * args->y_stride + row;
        const float value = product(job, args->weight, row, i);
        switch (args->epilogue) {
        case QV_EPILOGUE_NONE:
            *y = value;
            break;
        case QV_EPILOGUE_ADD:
            *y += value;
            break;
        case QV_EPILOGUE_GELU:
            *y = 0.5f * value * (1 + erff(value * 0x1.6a09e6p-1f));
            break;
        case QV_EPILOGUE_SWIGLU: {
            const float gate = product(job, args->gate, row, i);
            *y = gate / (1 + expf(-gate)) * value;
            break;
        }
        }
    }
}

static size_t linear_scratch(const qv_kernels *kernels, const qv_pool *pool, const qv_linear_args *args) {
    (void)kernels, (void)pool;
    return qv_is_quantized(args->weight->format)
               ? (size_t)(args->count * qv_ceil_div(args->weight->columns, QV_Q_BLOCK)) * QUANTIZED_X_BYTES
               : 0;
}

static void linear(const qv_kernels *kernels, qv_pool *pool, const qv_linear_args *args, void *scratch) {
    (void)kernels;
    linear_job job = {.args = args};
    if (qv_is_quantized(args->weight->format)) {
        job.quantized = scratch;
        const int64_t blocks = qv_ceil_div(args->weight->columns, QV_Q_BLOCK);
        for (int64_t i = 0; i < args->count; i++) {
            const float *x = args->x + i * args->x_stride;
            quantize_rows_as(BYTES, 1, args->weight->columns, &x,
                             (uint8_t *)scratch + (size_t)(i * blocks) * QUANTIZED_X_BYTES);
        }
    }
    qv_pool_run(pool, args->weight->rows, linear_task, &job);
}

// ------------------------------------------------------------------------------------------------ attention

/// Keys or values of one head: token t at data + t * stride, or in blocks when `blocks` is set.
typedef struct {
    qv_weight_format format;
    const void *data; // float32 rows, rounded as they are read
    int64_t stride;
    const qv_kv_layer *layer;
    const int32_t *blocks;
    size_t offset; // of this head's keys, or values, in a block
} token_rows;

static float value_at(const token_rows *rows, int64_t token, int i) {
    if (rows->blocks == NULL)
        return rounded(rows->format, ((const float *)rows->data)[token * rows->stride + i]);
    const uint8_t *block =
        rows->layer->base + (size_t)rows->blocks[token / QV_KV_BLOCK_TOKENS] * rows->layer->block_stride;
    const int64_t slot = token % QV_KV_BLOCK_TOKENS, at = slot * rows->layer->head_size + i;
    if (rows->layer->storage == QV_KV_PLAIN)
        return stored(rows->format, block + rows->offset, at);
    const float *scales = (const float *)(const void *)(block + rows->offset);
    return rounded(rows->format, (float)((const int8_t *)(scales + QV_KV_BLOCK_TOKENS))[at] * scales[slot]);
}

static float score(const token_rows *keys, int64_t token, const float *q, int head_size) {
    float sum = 0;
    for (int i = 0; i < head_size; i++)
        sum += rounded(keys->format, q[i]) * value_at(keys, token, i);
    return sum;
}

/// out = softmax(q kᵀ scale) v over `tokens` tokens; scores are computed twice instead of kept.
static void attend(const token_rows *keys, const token_rows *values, int64_t tokens, const float *q, int head_size,
                   float scale, float *out) {
    float maximum = -INFINITY, sum = 0;
    for (int64_t t = 0; t < tokens; t++) {
        const float s = score(keys, t, q, head_size) * scale;
        maximum = s > maximum ? s : maximum;
    }
    for (int i = 0; i < head_size; i++)
        out[i] = 0;
    for (int64_t t = 0; t < tokens; t++) {
        const float p = expf(score(keys, t, q, head_size) * scale - maximum);
        sum += p;
        for (int i = 0; i < head_size; i++)
            out[i] += rounded(keys->format, p) * value_at(values, t, i);
    }
    for (int i = 0; i < head_size; i++)
        out[i] /= sum;
}

/// One head of one segment.
static void segment_task(void *context, int64_t task, int worker) {
    (void)worker;
    const qv_segment_attention_args *args = context;
    const int64_t segment = task / args->heads, column = task % args->heads * args->head_size;
    const int64_t start = args->segment_starts[segment], end = args->segment_starts[segment + 1];
    const token_rows keys = {
        .format = args->arithmetic, .data = args->k + start * args->stride + column, .stride = args->stride};
    const token_rows values = {
        .format = args->arithmetic, .data = args->v + start * args->stride + column, .stride = args->stride};
    for (int64_t row = start; row < end; row++)
        attend(&keys, &values, end - start, args->q + row * args->stride + column, args->head_size, args->scale,
               args->out + row * args->out_stride + column);
}

static size_t segment_attention_scratch(const qv_kernels *kernels, const qv_pool *pool,
                                        const qv_segment_attention_args *args) {
    (void)kernels, (void)pool, (void)args;
    return 0;
}

static void segment_attention(const qv_kernels *kernels, qv_pool *pool, const qv_segment_attention_args *args,
                              void *scratch) {
    (void)kernels, (void)scratch;
    qv_segment_attention_args copy = *args;
    qv_pool_run(pool, (int64_t)args->segments * args->heads, segment_task, &copy);
}

// ------------------------------------------------------------------------------------------------ the cache

/// Of keys, or of as many values. In 8 bits the tokens' scales stand before them.
static size_t keys_bytes(qv_weight_format format, qv_kv_storage storage, int head_size) {
    const size_t count = (size_t)(QV_KV_BLOCK_TOKENS * head_size);
    return qv_lines(storage == QV_KV_I8 ? QV_KV_BLOCK_TOKENS * sizeof(float) + count : count * qv_weight_size(format));
}

static size_t kv_head_bytes(const qv_kernels *kernels, qv_weight_format format, qv_kv_storage storage, int head_size) {
    (void)kernels;
    return 2 * keys_bytes(format, storage, head_size);
}

static void append_i8(const float *x, int head_size, int slot, uint8_t *to) {
    float *scales = (float *)(void *)to;
    int8_t *values = (int8_t *)(scales + QV_KV_BLOCK_TOKENS) + slot * head_size;
    scales[slot] = qv_kv_scale(x, head_size);
    for (int i = 0; i < head_size; i++)
        values[i] = qv_kv_quantized(x[i], scales[slot]);
}

static void kv_append(const qv_kernels *kernels, const qv_kv_layer *layer, const qv_kv_rows *rows, uint8_t *block) {
    (void)kernels;
    const qv_weight_format format = layer->format;
    uint8_t *values = block + keys_bytes(format, layer->storage, rows->head_size);
    for (int t = 0; t < rows->count && layer->storage == QV_KV_I8; t++) {
        append_i8(rows->k + t * rows->stride, rows->head_size, rows->first_slot + t, block);
        append_i8(rows->v + t * rows->stride, rows->head_size, rows->first_slot + t, values);
    }
    if (layer->storage == QV_KV_I8)
        return;
    for (int t = 0; t < rows->count; t++)
        for (int i = 0; i < rows->head_size; i++) {
            const int64_t at = (int64_t)(rows->first_slot + t) * rows->head_size + i;
            const float k = rows->k[t * rows->stride + i], v = rows->v[t * rows->stride + i];
            if (format == QV_WEIGHT_BF16) {
                ((uint16_t *)(void *)block)[at] = qv_to_bf16(k);
                ((uint16_t *)(void *)values)[at] = qv_to_bf16(v);
            } else {
                ((float *)(void *)block)[at] = k;
                ((float *)(void *)values)[at] = v;
            }
        }
}

typedef struct {
    const qv_cached_attention_args *args;
    const qv_sequence *sequence;
} cached_job;

/// One head of one token.
static void cached_task(void *context, int64_t task, int worker) {
    (void)worker;
    const cached_job *job = context;
    const qv_cached_attention_args *args = job->args;
    const qv_kv_layer *layer = args->layer;
    const int head = (int)(task % args->heads), kv_head = head / (args->heads / layer->kv_heads);
    const int64_t token = task / args->heads, row = job->sequence->first_row + token;
    token_rows keys = {.format = layer->format, .layer = layer, .blocks = job->sequence->blocks};
    keys.offset = (size_t)kv_head * kv_head_bytes(NULL, layer->format, layer->storage, layer->head_size);
    token_rows values = keys;
    values.offset += keys_bytes(layer->format, layer->storage, layer->head_size);
    attend(&keys, &values, job->sequence->past + token + 1, args->q + row * args->q_stride + head * layer->head_size,
           layer->head_size, args->scale, args->out + row * args->out_stride + head * layer->head_size);
}

static size_t cached_attention_scratch(const qv_kernels *kernels, const qv_pool *pool,
                                       const qv_cached_attention_args *args) {
    (void)kernels, (void)pool, (void)args;
    return 0;
}

static void cached_attention(const qv_kernels *kernels, qv_pool *pool, const qv_cached_attention_args *args,
                             void *scratch) {
    (void)kernels, (void)scratch;
    for (int s = 0; s < args->sequence_count; s++) {
        cached_job job = {.args = args, .sequence = &args->sequences[s]};
        qv_pool_run(pool, job.sequence->count * args->heads, cached_task, &job);
    }
}

// ------------------------------------------------------------------------------------------------ rows

static void rms_norm_row(int64_t columns, const float *x, const float *weight, float epsilon, float *y) {
    float sum = 0;
    for (int64_t i = 0; i < columns; i++)
        sum += x[i] * x[i];
    const float scale = 1 / sqrtf(sum / (float)columns + epsilon);
    for (int64_t i = 0; i < columns; i++)
        y[i] = x[i] * scale * weight[i];
}

static void rotate_row(float *x, int heads, int head_size, const float *cosine, const float *sine) {
    const int half = head_size / 2;
    for (int h = 0; h < heads; h++, x += head_size)
        for (int i = 0; i < half; i++) {
            const float a = x[i], b = x[i + half];
            x[i] = a * cosine[i] - b * sine[i];
            x[i + half] = b * cosine[i] + a * sine[i];
        }
}

static void convert_row(const void *source, qv_type type, int64_t count, float *y) {
    const uint8_t *from = source;
    if (type == QV_TYPE_F32) {
        memcpy(y, from, (size_t)count * sizeof(float));
        return;
    }
    if (type == QV_TYPE_I8_BLOCKS) {
        qv_from_i8_blocks(from, count, y);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof half);
        y[i] = type == QV_TYPE_BF16 ? qv_from_bf16(half) : qv_from_f16(half);
    }
}

static void logits_summary(int64_t count, const float *x, int64_t *argmax, float *log_sum_exp) {
    float best = -INFINITY;
    bool any_nan = false;
    *argmax = -1;
    for (int64_t i = 0; i < count; i++) {
        if (x[i] > best) {
            best = x[i];
            *argmax = i;
        }
        any_nan |= x[i] != x[i];
    }
    if (any_nan || !(best > -INFINITY) || best == INFINITY) {
        *log_sum_exp = any_nan ? NAN : best;
        return;
    }
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)expf(x[i] - best);
    *log_sum_exp = best + (float)log(sum);
}

const qv_kernels qv_kernels_generic = {
    .name = "generic",
    .linear_scratch = linear_scratch,
    .linear = linear,
    .segment_attention_scratch = segment_attention_scratch,
    .segment_attention = segment_attention,
    .kv_head_bytes = kv_head_bytes,
    .kv_append = kv_append,
    .cached_attention_scratch = cached_attention_scratch,
    .cached_attention = cached_attention,
    .quantize_weights_i8 = quantize_weights_i8,
    .quantize_weights_i4 = quantize_weights_i4,
    .rms_norm_row = rms_norm_row,
    .rotate_row = rotate_row,
    .convert_row = convert_row,
    .logits_summary = logits_summary,
};
