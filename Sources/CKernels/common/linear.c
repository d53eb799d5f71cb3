// y = x Wᵀ over tiles: which thread computes what, and in which order, for the caches' sake. docs/kernels.md tells why.
// An element's additions run in the order of k in one chain whatever the blocking, so neither the number of threads
// nor of rows shows in the results.
#include "linear_plan.h"

enum {
    /// Values of k per pass. A panel's part (2 x 32 lanes KiB in bfloat16) and the tiles' rows stay in the second-level
    /// cache.
    K_PASS = 1024,
    /// Rows of x that one task goes through: 168 x K_PASS bfloat16 is a third of a 1 MiB second-level cache.
    ROWS_PER_TASK = 168,
};

typedef struct {
    qv_linear_plan parts;
    const qv_primitives *isa;
    const qv_linear_args *args;
    qv_weight_format format;
    int64_t k, padded_k; // padded to whole K blocks, for x
    bool passes;         // k does not fit one pass: partial sums rest in scratch
    bool swiglu;
    size_t tile_floats; // one tile of partial sums
    size_t x_bytes, worker_bytes;
    uint8_t *x, *workers;
} plan;

static plan make_plan(const qv_kernels *kernels, const qv_pool *pool, const qv_linear_args *args) {
    plan p = {.isa = kernels->primitives, .args = args, .format = args->weight->format};
    const int lanes = qv_panel_lanes(kernels);
    p.swiglu = args->epilogue == QV_EPILOGUE_SWIGLU;
    p.k = args->weight->columns;
    p.padded_k = qv_round_up(p.k, QV_K_BLOCK);
    p.parts = qv_plan_linear(p.isa, pool, args, lanes, p.isa->max_rows[p.format], ROWS_PER_TASK,
                             lanes * p.k * (int64_t)qv_weight_size(p.format) * (p.swiglu ? 2 : 1));

    // With a single row tile the pass is as long as k: nothing is gained by leaving it halfway.
    p.passes = p.parts.tiles > 1 && p.k > K_PASS;
    p.tile_floats = (size_t)(p.parts.largest_tile * lanes);
    const size_t resting = p.passes ? (size_t)(p.parts.tiles_per_task * p.parts.panels_per_task) : 1;
    p.worker_bytes = qv_lines(p.tile_floats * sizeof(float) * resting * (p.swiglu ? 2 : 1));
    p.x_bytes = qv_lines((size_t)(args->count * p.padded_k) * (size_t)p.isa->x_size[p.format]);
    return p;
}

size_t qv_tiled_linear_scratch(const qv_kernels *kernels, const qv_pool *pool, const qv_linear_args *args) {
    if (args->count <= 0)
        return 0;
    if (qv_is_quantized(args->weight->format))
        return qv_quantized_linear_scratch(kernels, pool, args);
    const plan p = make_plan(kernels, pool, args);
    return p.x_bytes + p.worker_bytes * (size_t)qv_pool_threads(pool);
}

static void *tile_x(const plan *p, int64_t tile) {
    return p->x + (size_t)(qv_tile_start(&p->parts, tile) * p->padded_k) * (size_t)p->isa->x_size[p->format];
}

static void convert_task(void *context, int64_t tile, int worker) {
    (void)worker;
    const plan *p = context;
    const float *source[QV_MAX_ROWS];
    const int rows = qv_tile_sources(&p->parts, tile, source);
    p->isa->pack_rows[p->format](rows, p->k, source, tile_x(p, tile));
}

/// One tile's part of the sums, k in first_k ..< first_k + count.
static void multiply(const plan *p, const qv_matrix *matrix, int64_t panel, int64_t tile, int64_t first_k,
                     int64_t count, float *c) {
    const int64_t rows = qv_tile_rows(&p->parts, tile);
    const size_t size = qv_weight_size(p->format);
    const uint8_t *w = (const uint8_t *)matrix->data +
                       (size_t)(panel * qv_padded_k(p->format, p->k) + first_k) * (size_t)p->parts.lanes * size;
    const uint8_t *x = (const uint8_t *)tile_x(p, tile) + (size_t)(rows * first_k) * (size_t)p->isa->x_size[p->format];
    p->isa->tiles[p->format][(p->isa->vectors - 1) * QV_MAX_ROWS + rows - 1](w, x, count, c, p->parts.lanes,
                                                                             first_k > 0);
}

static void product_task(void *context, int64_t task, int worker) {
    const plan *p = context;
    const qv_linear_task part = qv_linear_task_at(&p->parts, task);
    float *sums = (float *)(void *)(p->workers + p->worker_bytes * (size_t)worker);
    float *gate_sums = sums + p->worker_bytes / sizeof(float) / 2;
    const int64_t pass = p->passes ? K_PASS : p->k;

    for (int64_t k = 0; k < p->k; k += pass) {
        const int64_t count = qv_min(pass, p->k - k);
        for (int64_t panel = part.first_panel; panel < part.end_panel; panel++)
            for (int64_t tile = part.first_tile; tile < part.end_tile; tile++) {
                const int64_t at = (panel - part.first_panel) * p->parts.tiles_per_task + (tile - part.first_tile);
                const size_t offset = p->passes ? (size_t)at * p->tile_floats : 0;
                multiply(p, p->args->weight, panel, tile, k, count, sums + offset);
                if (p->swiglu)
                    multiply(p, p->args->gate, panel, tile, k, count, gate_sums + offset);
                if (k + count == p->k)
                    qv_write_tile(&p->parts, panel, tile, sums + offset, p->swiglu ? gate_sums + offset : NULL);
            }
    }
}

void qv_tiled_linear(const qv_kernels *kernels, qv_pool *pool, const qv_linear_args *args, void *scratch) {
    if (qv_is_quantized(args->weight->format)) {
        qv_quantized_linear(kernels, pool, args, scratch);
        return;
    }
    plan p = make_plan(kernels, pool, args);
    uint8_t *rest = scratch;
    p.x = qv_take(&rest, p.x_bytes);
    p.workers = rest;
    qv_pool_run(args->count * p.k < QV_SERIAL_VALUES ? NULL : pool, p.parts.tiles, convert_task, &p);
    qv_pool_run(pool, p.parts.groups * p.parts.row_tasks, product_task, &p);
}
