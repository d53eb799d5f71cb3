// The public functions: what is the same in every table, and calls into the table for the rest.
#include "kernels.h"

#include <string.h>

// ------------------------------------------------------------------------------------------------ whole operations

size_t qv_linear_scratch(const qv_kernels *kernels, const qv_pool *pool, const qv_linear_args *args) {
    return kernels->linear_scratch(kernels, pool, args);
}

void qv_linear(const qv_kernels *kernels, qv_pool *pool, const qv_linear_args *args, void *scratch) {
    if (args->count > 0)
        kernels->linear(kernels, pool, args, scratch);
}

size_t qv_segment_attention_scratch(const qv_kernels *kernels, const qv_pool *pool,
                                    const qv_segment_attention_args *args) {
    return kernels->segment_attention_scratch(kernels, pool, args);
}

void qv_segment_attention(const qv_kernels *kernels, qv_pool *pool, const qv_segment_attention_args *args,
                          void *scratch) {
    kernels->segment_attention(kernels, pool, args, scratch);
}

size_t qv_cached_attention_scratch(const qv_kernels *kernels, const qv_pool *pool,
                                   const qv_cached_attention_args *args) {
    return kernels->cached_attention_scratch(kernels, pool, args);
}

void qv_cached_attention(const qv_kernels *kernels, qv_pool *pool, const qv_cached_attention_args *args,
                         void *scratch) {
    kernels->cached_attention(kernels, pool, args, scratch);
}

void qv_logits_summary(const qv_kernels *kernels, int64_t count, const float *x, int64_t *argmax, float *log_sum_exp) {
    kernels->logits_summary(count, x, argmax, log_sum_exp);
}

// ------------------------------------------------------------------------------------------------ rows

/// Values that one task of a row-wise operation should touch at least: some 5 us, against a fork's 0.1 to 1.
enum { VALUES_PER_TASK = 16384 };

typedef struct {
    const qv_kernels *kernels;
    int64_t count, columns, rows_per_task;
    const float *x;
    int64_t x_stride;
    float *y;
    int64_t y_stride;
    const float *weight;
    float epsilon;
    int heads, head_size;
    const float *cosine, *sine;
    const int32_t *index;
    const uint8_t *table;
    qv_type type;
} row_job;

static int64_t row_tasks(row_job *job, int64_t values_per_row) {
    job->rows_per_task = qv_max(1, VALUES_PER_TASK / qv_max(1, values_per_row));
    return qv_ceil_div(job->count, job->rows_per_task);
}

#define FOR_ROWS(job, task, i)                                                                                         \
    for (int64_t i = (task) * (job)->rows_per_task, end_ = qv_min(i + (job)->rows_per_task, (job)->count); i < end_;   \
         i++)

static void rms_norm_task(void *context, int64_t task, int worker) {
    (void)worker;
    const row_job *job = context;
    FOR_ROWS(job, task, i)
    job->kernels->rms_norm_row(job->columns, job->x + i * job->x_stride, job->weight, job->epsilon,
                               job->y + i * job->y_stride);
}

void qv_rms_norm(const qv_kernels *kernels, qv_pool *pool, int64_t count, int64_t columns, const float *x,
                 int64_t x_stride, const float *weight, float epsilon, float *y, int64_t y_stride) {
    row_job job = {.kernels = kernels,
                   .count = count,
                   .columns = columns,
                   .x = x,
                   .x_stride = x_stride,
                   .weight = weight,
                   .epsilon = epsilon,
                   .y = y,
                   .y_stride = y_stride};
    qv_pool_run(pool, row_tasks(&job, columns), rms_norm_task, &job);
}

static void rotate_task(void *context, int64_t task, int worker) {
    (void)worker;
    const row_job *job = context;
    const int half = job->head_size / 2;
    FOR_ROWS(job, task, i)
    job->kernels->rotate_row(job->y + i * job->y_stride, job->heads, job->head_size, job->cosine + i * half,
                             job->sine + i * half);
}

void qv_rotate(const qv_kernels *kernels, qv_pool *pool, int64_t count, float *x, int64_t stride, int heads,
               int head_size, const float *cosine, const float *sine) {
    row_job job = {.kernels = kernels,
                   .count = count,
                   .y = x,
                   .y_stride = stride,
                   .heads = heads,
                   .head_size = head_size,
                   .cosine = cosine,
                   .sine = sine};
    qv_pool_run(pool, row_tasks(&job, (int64_t)heads * head_size), rotate_task, &job);
}

static void embed_task(void *context, int64_t task, int worker) {
    (void)worker;
    const row_job *job = context;
    const size_t row_bytes = job->type == QV_TYPE_I8_BLOCKS ? qv_quantized_row_bytes(job->columns)
                                                            : (size_t)job->columns * (job->type == QV_TYPE_F32 ? 4 : 2);
    FOR_ROWS(job, task, i)
    job->kernels->convert_row(job->table + (size_t)job->index[i] * row_bytes, job->type, job->columns,
                              job->y + i * job->y_stride);
}

void qv_embed(const qv_kernels *kernels, qv_pool *pool, int64_t count, const int32_t *ids, const void *table,
              qv_type type, int64_t columns, float *y, int64_t y_stride) {
    row_job job = {.kernels = kernels,
                   .count = count,
                   .columns = columns,
                   .index = ids,
                   .table = table,
                   .type = type,
                   .y = y,
                   .y_stride = y_stride};
    qv_pool_run(pool, row_tasks(&job, columns), embed_task, &job);
}

static void gather_task(void *context, int64_t task, int worker) {
    (void)worker;
    const row_job *job = context;
    FOR_ROWS(job, task, i)
    memcpy(job->y + i * job->y_stride, job->x + job->index[i] * job->x_stride, (size_t)job->columns * sizeof(float));
}

void qv_gather_rows(const qv_kernels *kernels, qv_pool *pool, int64_t count, const int32_t *index, int64_t columns,
                    const float *x, int64_t x_stride, float *y, int64_t y_stride) {
    row_job job = {.kernels = kernels,
                   .count = count,
                   .columns = columns,
                   .index = index,
                   .x = x,
                   .x_stride = x_stride,
                   .y = y,
                   .y_stride = y_stride};
    qv_pool_run(pool, row_tasks(&job, columns), gather_task, &job);
}

static void scatter_task(void *context, int64_t task, int worker) {
    (void)worker;
    const row_job *job = context;
    FOR_ROWS(job, task, i)
    memcpy(job->y + job->index[i] * job->y_stride, job->x + i * job->x_stride, (size_t)job->columns * sizeof(float));
}

void qv_scatter_rows(const qv_kernels *kernels, qv_pool *pool, int64_t count, const int32_t *index, int64_t columns,
                     const float *x, int64_t x_stride, float *y, int64_t y_stride) {
    row_job job = {.kernels = kernels,
                   .count = count,
                   .columns = columns,
                   .index = index,
                   .x = x,
                   .x_stride = x_stride,
                   .y = y,
                   .y_stride = y_stride};
    qv_pool_run(pool, row_tasks(&job, columns), scatter_task, &job);
}

// ------------------------------------------------------------------------------------------------ the cache

size_t qv_kv_block_bytes(const qv_kernels *kernels, qv_weight_format format, qv_kv_storage storage, int kv_heads,
                         int head_size) {
    return (size_t)kv_heads * kernels->kv_head_bytes(kernels, format, storage, head_size);
}

typedef struct {
    const qv_kernels *kernels;
    const qv_kv_layer *layer;
    const qv_sequence *sequence;
    const float *k, *v;
    int64_t stride;
} append_job;

/// One block of one KV head; blocks are counted from the one that holds the first new token.
static void append_task(void *context, int64_t task, int worker) {
    (void)worker;
    const append_job *job = context;
    const qv_sequence *sequence = job->sequence;
    const qv_kv_layer *layer = job->layer;
    const int head = (int)(task % layer->kv_heads);
    const int64_t block = sequence->past / QV_KV_BLOCK_TOKENS + task / layer->kv_heads;
    const int64_t first = qv_max(sequence->past, block * QV_KV_BLOCK_TOKENS);
    const int64_t end = qv_min(sequence->past + sequence->count, (block + 1) * QV_KV_BLOCK_TOKENS);
    const int64_t offset =
        (sequence->first_row + first - sequence->past) * job->stride + (int64_t)head * layer->head_size;
    const qv_kv_rows rows = {.head_size = layer->head_size,
                             .first_slot = (int)(first % QV_KV_BLOCK_TOKENS),
                             .count = (int)(end - first),
                             .k = job->k + offset,
                             .v = job->v + offset,
                             .stride = job->stride};
    const size_t head_bytes =
        job->kernels->kv_head_bytes(job->kernels, layer->format, layer->storage, layer->head_size);
    uint8_t *target = layer->base + (size_t)sequence->blocks[block] * layer->block_stride + (size_t)head * head_bytes;
    job->kernels->kv_append(job->kernels, layer, &rows, target);
}

void qv_kv_append(const qv_kernels *kernels, qv_pool *pool, const qv_kv_layer *layer, const qv_sequence *sequences,
                  int sequence_count, const float *k, const float *v, int64_t stride) {
    for (int s = 0; s < sequence_count; s++) {
        const qv_sequence *sequence = &sequences[s];
        if (sequence->count == 0)
            continue;
        append_job job = {.kernels = kernels, .layer = layer, .sequence = sequence, .k = k, .v = v, .stride = stride};
        const int64_t blocks =
            (sequence->past + sequence->count - 1) / QV_KV_BLOCK_TOKENS - sequence->past / QV_KV_BLOCK_TOKENS + 1;
        // A token or a few are written sooner than a fork takes.
        qv_pool_run(sequence->count < 8 ? NULL : pool, blocks * layer->kv_heads, append_task, &job);
    }
}
