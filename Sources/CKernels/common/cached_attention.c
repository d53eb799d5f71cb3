// Causal attention over the paged KV cache. The rows of a tile are the query heads of one KV head, token after token,
// so that keys and values are read once for all of them. When there are fewer tasks than threads can use, contexts
// are split at span boundaries and the parts merged afterwards, in order.
#include "attention.h"

#include <math.h>
#include <string.h>

/// Tasks per thread below which contexts are split.
enum { SPLIT_BELOW_TASKS_PER_THREAD = 4 };

enum { SPAN_BLOCKS = QV_SPAN / QV_KV_BLOCK_TOKENS };

typedef struct {
    const qv_kernels *kernels;
    const qv_cached_attention_args *args;
    int group; // query heads per KV head
    int rows_per_task, value_lanes;
    size_t head_bytes, operand_bytes, worker_bytes;
    bool split;
    int64_t most_spans;
    uint8_t *workers;
    float *parts; // split: [row task][span] of part_floats
    size_t part_floats;
} cached_job;

/// Some rows of one KV head of one sequence.
typedef struct {
    const qv_sequence *sequence;
    int kv_head;
    int64_t first, rows; // in units of (token, head of the group)
    int64_t spans;       // that the last row sees
} row_block;

static int64_t sequence_tasks(const cached_job *job, const qv_sequence *sequence) {
    return qv_ceil_div(sequence->count * job->group, job->rows_per_task);
}

static int64_t all_tasks(const cached_job *job) {
    int64_t tasks = 0;
    for (int s = 0; s < job->args->sequence_count; s++)
        tasks += sequence_tasks(job, &job->args->sequences[s]) * job->args->layer->kv_heads;
    return tasks;
}

static cached_job make_job(const qv_kernels *kernels, const qv_pool *pool, const qv_cached_attention_args *args) {
    const qv_kv_layer *layer = args->layer;
    cached_job job = {.kernels = kernels, .args = args, .group = args->heads / layer->kv_heads};
    job.rows_per_task = qv_attention_rows_per_task(kernels, layer->format);
    job.value_lanes = qv_kv_value_lanes(kernels, layer->head_size);
    job.head_bytes = qv_tiled_kv_head_bytes(kernels, layer->format, layer->storage, layer->head_size);
    job.operand_bytes = qv_kv_operand_bytes(kernels, layer->format, layer->head_size);
    job.worker_bytes = qv_attention_worker_bytes(kernels, layer->format, layer->head_size);
    if (layer->storage == QV_KV_I8)
        job.worker_bytes += SPAN_BLOCKS * job.operand_bytes;
    for (int s = 0; s < args->sequence_count; s++)
        job.most_spans =
            qv_max(job.most_spans, qv_ceil_div(args->sequences[s].past + args->sequences[s].count, QV_SPAN));
    const int threads = qv_pool_threads(pool);
    job.split = threads > 1 && job.most_spans > 1 && all_tasks(&job) < (int64_t)threads * SPLIT_BELOW_TASKS_PER_THREAD;
    job.part_floats = qv_lines((size_t)(job.rows_per_task * (job.value_lanes + 2)) * sizeof(float)) / sizeof(float);
    return job;
}

size_t qv_tiled_cached_attention_scratch(const qv_kernels *kernels, const qv_pool *pool,
                                         const qv_cached_attention_args *args) {
    const cached_job job = make_job(kernels, pool, args);
    const size_t parts = job.split ? (size_t)(all_tasks(&job) * job.most_spans) * job.part_floats * sizeof(float) : 0;
    return job.worker_bytes * (size_t)qv_pool_threads(pool) + parts;
}

static row_block find_block(const cached_job *job, int64_t task) {
    const qv_cached_attention_args *args = job->args;
    const qv_sequence *sequence = args->sequences;
    int64_t tasks = sequence_tasks(job, sequence);
    while (task >= tasks * args->layer->kv_heads) {
        task -= tasks * args->layer->kv_heads;
        tasks = sequence_tasks(job, ++sequence);
    }
    // The last rows see most: they come first, so that the tasks that end the job are small ones.
    row_block block = {.sequence = sequence, .kv_head = (int)(task / tasks)};
    block.first = (tasks - 1 - task % tasks) * job->rows_per_task;
    block.rows = qv_min(job->rows_per_task, sequence->count * job->group - block.first);
    const int64_t last_token = sequence->past + (block.first + block.rows - 1) / job->group;
    block.spans = last_token / QV_SPAN + 1;
    return block;
}

static qv_attention_worker worker_at(const cached_job *job, int index) {
    const qv_kv_layer *layer = job->args->layer;
    uint8_t *memory = job->workers + job->worker_bytes * (size_t)index;
    qv_attention_worker worker = qv_attention_worker_at(job->kernels, layer->format, layer->head_size, memory);
    worker.blocks = memory + qv_attention_worker_bytes(job->kernels, layer->format, layer->head_size);
    return worker;
}

static qv_attention_step start(const cached_job *job, const row_block *block, const qv_attention_worker *worker) {
    const qv_cached_attention_args *args = job->args;
    const qv_attention_step step = {.kernels = job->kernels,
                                    .format = args->layer->format,
                                    .head_size = args->layer->head_size,
                                    .rows = (int)block->rows,
                                    .scale_log2 = args->scale * 0x1.715476p+0f};
    const float *q[QV_MAX_ROWS * QV_TILES_PER_TASK];
    for (int64_t r = 0; r < block->rows; r++) {
        const int64_t token = (block->first + r) / job->group, head = (block->first + r) % job->group;
        q[r] = args->q + (block->sequence->first_row + token) * args->q_stride +
               (block->kv_head * job->group + head) * step.head_size;
    }
    qv_attention_pack_queries(&step, q, worker);
    qv_attention_begin(&step, worker);
    return step;
}

static void attend_span(const cached_job *job, const row_block *block, qv_attention_step *step, int64_t span,
                        const qv_attention_worker *worker) {
    const qv_kv_layer *layer = job->args->layer;
    const qv_sequence *sequence = block->sequence;
    int visible[QV_MAX_ROWS * QV_TILES_PER_TASK];
    for (int64_t r = 0; r < block->rows; r++) {
        const int64_t position = sequence->past + (block->first + r) / job->group;
        visible[r] = (int)qv_max(0, qv_min(QV_SPAN, position + 1 - span * QV_SPAN));
    }
    const int64_t most = visible[block->rows - 1];
    for (int64_t b = 0; b * QV_KV_BLOCK_TOKENS < most; b++) {
        step->blocks[b] = layer->base + (size_t)sequence->blocks[span * SPAN_BLOCKS + b] * layer->block_stride +
                          (size_t)block->kv_head * job->head_bytes;
        if (layer->storage == QV_KV_I8) {
            uint8_t *operand = worker->blocks + (size_t)b * job->operand_bytes;
            const int64_t tokens = qv_min(QV_KV_BLOCK_TOKENS, most - b * QV_KV_BLOCK_TOKENS);
            qv_kv_unpack(job->kernels, layer, step->blocks[b], (int)tokens, operand);
            step->blocks[b] = operand;
        }
    }
    qv_attention_span(step, visible, worker);
}

static void write(const cached_job *job, const row_block *block, const float *out, const float *sum) {
    const qv_cached_attention_args *args = job->args;
    const qv_attention_step step = {
        .kernels = job->kernels, .head_size = args->layer->head_size, .rows = (int)block->rows};
    float *to[QV_MAX_ROWS * QV_TILES_PER_TASK];
    for (int64_t r = 0; r < block->rows; r++) {
        const int64_t token = (block->first + r) / job->group, head = (block->first + r) % job->group;
        to[r] = args->out + (block->sequence->first_row + token) * args->out_stride +
                (block->kv_head * job->group + head) * step.head_size;
    }
    qv_attention_write(&step, out, sum, to);
}

static void whole_task(void *context, int64_t task, int worker_index) {
    const cached_job *job = context;
    const qv_attention_worker worker = worker_at(job, worker_index);
    const row_block block = find_block(job, task);
    qv_attention_step step = start(job, &block, &worker);
    for (int64_t span = 0; span < block.spans; span++)
        attend_span(job, &block, &step, span, &worker);
    write(job, &block, worker.out, worker.sum);
}

/// A part: [rows, value lanes] of sums, then maxima, then sums of probabilities.
static float *part_at(const cached_job *job, int64_t task, int64_t span) {
    return job->parts + (size_t)(task * job->most_spans + span) * job->part_floats;
}

static void part_task(void *context, int64_t index, int worker_index) {
    const cached_job *job = context;
    const int64_t task = index / job->most_spans, span = index % job->most_spans;
    const row_block block = find_block(job, task);
    if (span >= block.spans)
        return;
    qv_attention_worker worker = worker_at(job, worker_index);
    worker.out = part_at(job, task, span);
    worker.maximum = worker.out + job->rows_per_task * job->value_lanes;
    worker.sum = worker.maximum + job->rows_per_task;
    qv_attention_step step = start(job, &block, &worker);
    attend_span(job, &block, &step, span, &worker);
}

static void merge_task(void *context, int64_t task, int worker_index) {
    (void)worker_index;
    const cached_job *job = context;
    const row_block block = find_block(job, task);
    float *total = part_at(job, task, 0);
    float *maximum = total + job->rows_per_task * job->value_lanes, *sum = maximum + job->rows_per_task;
    for (int64_t span = 1; span < block.spans; span++) {
        int sees[QV_MAX_ROWS * QV_TILES_PER_TASK];
        for (int64_t r = 0; r < block.rows; r++)
            sees[r] = block.sequence->past + (block.first + r) / job->group >= span * QV_SPAN;
        const float *part = part_at(job, task, span), *part_maximum = part + job->rows_per_task * job->value_lanes;
        const qv_merge_args merge = {.rows = (int)block.rows,
                                     .columns = job->value_lanes,
                                     .visible = sees,
                                     .add = part,
                                     .add_stride = job->value_lanes,
                                     .add_maximum = part_maximum,
                                     .add_sum = part_maximum + job->rows_per_task,
                                     .out = total,
                                     .out_stride = job->value_lanes,
                                     .maximum = maximum,
                                     .sum = sum};
        job->kernels->primitives->merge(&merge);
    }
    write(job, &block, total, sum);
}

void qv_tiled_cached_attention(const qv_kernels *kernels, qv_pool *pool, const qv_cached_attention_args *args,
                               void *scratch) {
    cached_job job = make_job(kernels, pool, args);
    const int64_t tasks = all_tasks(&job);
    job.workers = scratch;
    if (!job.split) {
        qv_pool_run(pool, tasks, whole_task, &job);
        return;
    }
    job.parts = (float *)(void *)(job.workers + job.worker_bytes * (size_t)qv_pool_threads(pool));
    qv_pool_run(pool, tasks * job.most_spans, part_task, &job);
    qv_pool_run(pool, tasks, merge_task, &job);
}
