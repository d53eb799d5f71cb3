// Attention within segments (the vision tower). Keys and values are packed head by head into blocks laid out as the
// KV cache's: a segment of up to one span by the task that needs it, a longer one ahead for all its tasks.
#include "attention.h"

#include <string.h>

typedef struct {
    const qv_kernels *kernels;
    const qv_segment_attention_args *args;
    size_t head_bytes, worker_bytes;
    int rows_per_task;
    uint8_t *packed, *workers;
    // The segment, or run of short segments, that is being computed.
    int first_segment;
    int64_t start, rows;
} segment_job;

static int64_t segment_rows(const qv_segment_attention_args *args, int segment) {
    return args->segment_starts[segment + 1] - args->segment_starts[segment];
}

static segment_job make_job(const qv_kernels *kernels, const qv_segment_attention_args *args) {
    segment_job job = {.kernels = kernels, .args = args};
    job.head_bytes = qv_kv_operand_bytes(kernels, args->arithmetic, args->head_size);
    job.rows_per_task = qv_attention_rows_per_task(kernels, args->arithmetic);
    job.worker_bytes = qv_attention_worker_bytes(kernels, args->arithmetic, args->head_size) +
                       qv_lines(QV_SPAN / QV_KV_BLOCK_TOKENS * job.head_bytes);
    return job;
}

/// Bytes for the packed keys and values of the longest segment that is packed ahead.
static size_t packed_bytes(const segment_job *job) {
    int64_t longest = 0;
    for (int s = 0; s < job->args->segments; s++)
        longest = qv_max(longest, segment_rows(job->args, s));
    return longest <= QV_SPAN
               ? 0
               : (size_t)qv_ceil_div(longest, QV_KV_BLOCK_TOKENS) * (size_t)job->args->heads * job->head_bytes;
}

size_t qv_tiled_segment_attention_scratch(const qv_kernels *kernels, const qv_pool *pool,
                                          const qv_segment_attention_args *args) {
    const segment_job job = make_job(kernels, args);
    return qv_lines(packed_bytes(&job)) + job.worker_bytes * (size_t)qv_pool_threads(pool);
}

static void pack_block(const segment_job *job, int head, int64_t first_row, int count, uint8_t *to) {
    const qv_segment_attention_args *args = job->args;
    const int64_t offset = first_row * args->stride + (int64_t)head * args->head_size;
    const qv_kv_rows rows = {.head_size = args->head_size,
                             .count = count,
                             .k = args->k + offset,
                             .v = args->v + offset,
                             .stride = args->stride};
    qv_kv_pack(job->kernels, args->arithmetic, &rows, to);
}

/// Query rows first_row ..< first_row + count of one head, over the segment's `keys` keys packed at `packed`,
/// consecutive blocks block_stride apart.
static void attend(const segment_job *job, int head, int64_t first_row, int count, const uint8_t *packed,
                   size_t block_stride, int64_t keys, uint8_t *memory) {
    const qv_segment_attention_args *args = job->args;
    const qv_attention_worker worker = qv_attention_worker_at(job->kernels, args->arithmetic, args->head_size, memory);
    qv_attention_step step = {.kernels = job->kernels,
                              .format = args->arithmetic,
                              .head_size = args->head_size,
                              .rows = count,
                              .scale_log2 = args->scale * 0x1.715476p+0f};
    const float *q[QV_MAX_ROWS * QV_TILES_PER_TASK];
    float *out[QV_MAX_ROWS * QV_TILES_PER_TASK];
    int visible[QV_MAX_ROWS * QV_TILES_PER_TASK];
    for (int r = 0; r < count; r++) {
        q[r] = args->q + (first_row + r) * args->stride + (int64_t)head * args->head_size;
        out[r] = args->out + (first_row + r) * args->out_stride + (int64_t)head * args->head_size;
    }
    qv_attention_pack_queries(&step, q, &worker);
    qv_attention_begin(&step, &worker);
    for (int64_t key = 0; key < keys; key += QV_SPAN) {
        const int span = (int)qv_min(QV_SPAN, keys - key);
        for (int b = 0; b * QV_KV_BLOCK_TOKENS < span; b++)
            step.blocks[b] = packed + (size_t)(key / QV_KV_BLOCK_TOKENS + b) * block_stride;
        for (int r = 0; r < count; r++)
            visible[r] = span;
        qv_attention_span(&step, visible, &worker);
    }
    qv_attention_write(&step, worker.out, worker.sum, out);
}

/// One head of one short segment.
static void short_task(void *context, int64_t task, int worker) {
    const segment_job *job = context;
    const int heads = job->args->heads, head = (int)(task % heads), segment = job->first_segment + (int)(task / heads);
    const int64_t start = job->args->segment_starts[segment], rows = segment_rows(job->args, segment);
    uint8_t *memory = job->workers + job->worker_bytes * (size_t)worker;
    uint8_t *packed = memory;
    memory += qv_lines(QV_SPAN / QV_KV_BLOCK_TOKENS * job->head_bytes);
    for (int64_t row = 0; row < rows; row += QV_KV_BLOCK_TOKENS)
        pack_block(job, head, start + row, (int)qv_min(QV_KV_BLOCK_TOKENS, rows - row),
                   packed + (size_t)(row / QV_KV_BLOCK_TOKENS) * job->head_bytes);
    for (int64_t row = 0; row < rows; row += job->rows_per_task)
        attend(job, head, start + row, (int)qv_min(job->rows_per_task, rows - row), packed, job->head_bytes, rows,
               memory);
}

/// One block of one head of a long segment.
static void pack_task(void *context, int64_t task, int worker) {
    (void)worker;
    const segment_job *job = context;
    const int heads = job->args->heads, head = (int)(task % heads);
    const int64_t row = task / heads * QV_KV_BLOCK_TOKENS;
    const int64_t blocks = qv_ceil_div(job->rows, QV_KV_BLOCK_TOKENS);
    pack_block(job, head, job->start + row, (int)qv_min(QV_KV_BLOCK_TOKENS, job->rows - row),
               job->packed + (size_t)(head * blocks + task / heads) * job->head_bytes);
}

/// Some query rows of one head of a long segment. Tasks of one head follow each other: they share its keys.
static void long_task(void *context, int64_t task, int worker) {
    const segment_job *job = context;
    const int64_t tasks_per_head = qv_ceil_div(job->rows, job->rows_per_task);
    const int head = (int)(task / tasks_per_head);
    const int64_t row = task % tasks_per_head * job->rows_per_task;
    const int64_t blocks = qv_ceil_div(job->rows, QV_KV_BLOCK_TOKENS);
    uint8_t *memory = job->workers + job->worker_bytes * (size_t)worker;
    attend(job, head, job->start + row, (int)qv_min(job->rows_per_task, job->rows - row),
           job->packed + (size_t)(head * blocks) * job->head_bytes, job->head_bytes, job->rows, memory);
}

void qv_tiled_segment_attention(const qv_kernels *kernels, qv_pool *pool, const qv_segment_attention_args *args,
                                void *scratch) {
    segment_job job = make_job(kernels, args);
    uint8_t *rest = scratch;
    job.packed = qv_take(&rest, packed_bytes(&job));
    job.workers = rest;
    for (int segment = 0; segment < args->segments;) {
        job.first_segment = segment;
        while (segment < args->segments && segment_rows(args, segment) <= QV_SPAN)
            segment++;
        qv_pool_run(pool, (int64_t)(segment - job.first_segment) * args->heads, short_task, &job);
        if (segment == args->segments)
            break;
        job.start = args->segment_starts[segment];
        job.rows = segment_rows(args, segment);
        qv_pool_run(pool, qv_ceil_div(job.rows, QV_KV_BLOCK_TOKENS) * args->heads, pack_task, &job);
        qv_pool_run(pool, qv_ceil_div(job.rows, job.rows_per_task) * args->heads, long_task, &job);
        segment++;
    }
}
