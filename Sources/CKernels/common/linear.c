// y = x Wᵀ over tiles: which thread computes what, and in which order, for the caches' sake. docs/kernels.md tells why.
// An element's additions run in the order of k in one chain whatever the blocking, so neither the number of threads
// nor of rows shows in the results.
#include "kernels.h"

enum {
    /// Values of k per pass. A panel's part (2 x 32 lanes KiB in bfloat16) and the tiles' rows stay in the second-level
    /// cache.
    K_PASS = 1024,
    /// Rows of x that one task goes through: 168 x K_PASS bfloat16 is a third of a 1 MiB second-level cache.
    ROWS_PER_TASK = 168,
    /// Bytes of weights that a task of few rows reads: some 5 us at 25 GB/s, far above the cost of taking a task.
    TASK_BYTES = 128 * 1024,
    /// Tasks per thread that make the last ones to finish a small part of the whole.
    TASKS_PER_THREAD = 6,
    /// Values of x that are cheaper to convert than to share out: about 1 us.
    SERIAL_VALUES = 16384,
};

typedef struct {
    const qv_kernels *kernels;
    const qv_primitives *isa;
    const qv_linear_args *args;
    qv_weight_format format;
    int64_t k, padded_k; // padded to whole K blocks, for x
    int lanes;           // of a panel
    int64_t panels, panels_per_task, groups;
    int64_t tiles, tiles_per_task, row_tasks;
    bool passes; // k does not fit one pass: partial sums rest in scratch
    bool swiglu;
    size_t tile_floats; // one tile of partial sums
    size_t x_bytes, worker_bytes;
    uint8_t *x, *workers;
} plan;

/// Rows are spread evenly over the tiles, larger tiles first.
static int64_t tile_start(const plan *p, int64_t tile) {
    const int64_t base = p->args->count / p->tiles, larger = p->args->count % p->tiles;
    return tile * base + qv_min(tile, larger);
}

static plan make_plan(const qv_kernels *kernels, const qv_pool *pool, const qv_linear_args *args) {
    plan p = {.kernels = kernels, .isa = kernels->primitives, .args = args, .format = args->weight->format};
    const int threads = qv_pool_threads(pool);
    p.swiglu = args->epilogue == QV_EPILOGUE_SWIGLU;
    p.k = args->weight->columns;
    p.padded_k = qv_round_up(p.k, QV_K_BLOCK);
    p.lanes = qv_panel_lanes(kernels);
    p.panels = qv_ceil_div(args->weight->rows, p.lanes);
    p.tiles = qv_ceil_div(args->count, p.isa->max_rows[p.format]);
    const int64_t largest_tile = qv_ceil_div(args->count, p.tiles);
    const int64_t wanted = threads == 1 ? 1 : (int64_t)threads * TASKS_PER_THREAD;

    const int64_t panel_bytes = p.lanes * p.k * (int64_t)qv_weight_size(p.format) * (p.swiglu ? 2 : 1);
    p.panels_per_task = qv_max(1, TASK_BYTES / panel_bytes);
    p.row_tasks = qv_ceil_div(args->count, ROWS_PER_TASK);
    while (p.panels_per_task > 1 && qv_ceil_div(p.panels, p.panels_per_task) * p.row_tasks < wanted)
        p.panels_per_task /= 2;
    if (p.panels * p.row_tasks < wanted)
        p.row_tasks = qv_min(p.tiles, qv_ceil_div(wanted, p.panels));
    p.tiles_per_task = qv_ceil_div(p.tiles, p.row_tasks);
    p.row_tasks = qv_ceil_div(p.tiles, p.tiles_per_task);
    p.groups = qv_ceil_div(p.panels, p.panels_per_task);

    // With a single row tile the pass is as long as k: nothing is gained by leaving it halfway.
    p.passes = p.tiles > 1 && p.k > K_PASS;
    p.tile_floats = (size_t)(largest_tile * p.lanes);
    const size_t resting = p.passes ? (size_t)(p.tiles_per_task * p.panels_per_task) : 1;
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
    return p->x + (size_t)(tile_start(p, tile) * p->padded_k) * (size_t)p->isa->x_size[p->format];
}

static void convert_task(void *context, int64_t tile, int worker) {
    (void)worker;
    const plan *p = context;
    const int64_t first = tile_start(p, tile);
    const int rows = (int)(tile_start(p, tile + 1) - first);
    const float *source[QV_MAX_ROWS];
    for (int r = 0; r < rows; r++)
        source[r] = p->args->x + (first + r) * p->args->x_stride;
    p->isa->pack_rows[p->format](rows, p->k, source, tile_x(p, tile));
}

/// One tile's part of the sums, k in first_k ..< first_k + count.
static void multiply(const plan *p, const qv_matrix *matrix, int64_t panel, int64_t tile, int64_t first_k,
                     int64_t count, float *c) {
    const int64_t rows = tile_start(p, tile + 1) - tile_start(p, tile);
    const size_t size = qv_weight_size(p->format);
    const uint8_t *w = (const uint8_t *)matrix->data +
                       (size_t)(panel * qv_padded_k(p->format, p->k) + first_k) * (size_t)p->lanes * size;
    const uint8_t *x = (const uint8_t *)tile_x(p, tile) + (size_t)(rows * first_k) * (size_t)p->isa->x_size[p->format];
    p->isa->tiles[p->format][(p->isa->vectors - 1) * QV_MAX_ROWS + rows - 1](w, x, count, c, p->lanes, first_k > 0);
}

static void write_tile(const plan *p, int64_t panel, int64_t tile, const float *c, const float *gate) {
    const qv_linear_args *args = p->args;
    const int64_t first = tile_start(p, tile), column = panel * p->lanes;
    const float *bias = args->weight->bias, *gate_bias = p->swiglu ? args->gate->bias : NULL;
    const qv_epilogue_args epilogue = {.kind = args->epilogue,
                                       .rows = tile_start(p, tile + 1) - first,
                                       .columns = qv_min(p->lanes, args->weight->rows - column),
                                       .c = c,
                                       .gate = gate,
                                       .c_stride = p->lanes,
                                       .bias = bias ? bias + column : NULL,
                                       .gate_bias = gate_bias ? gate_bias + column : NULL,
                                       .y = args->y + first * args->y_stride + column,
                                       .y_stride = args->y_stride};
    p->isa->epilogue(&epilogue);
}

static void product_task(void *context, int64_t task, int worker) {
    const plan *p = context;
    const int64_t first_panel = task % p->groups * p->panels_per_task;
    const int64_t end_panel = qv_min(first_panel + p->panels_per_task, p->panels);
    const int64_t first_tile = task / p->groups * p->tiles_per_task;
    const int64_t end_tile = qv_min(first_tile + p->tiles_per_task, p->tiles);
    float *sums = (float *)(void *)(p->workers + p->worker_bytes * (size_t)worker);
    float *gate_sums = sums + p->worker_bytes / sizeof(float) / 2;
    const int64_t pass = p->passes ? K_PASS : p->k;

    for (int64_t k = 0; k < p->k; k += pass) {
        const int64_t count = qv_min(pass, p->k - k);
        for (int64_t panel = first_panel; panel < end_panel; panel++)
            for (int64_t tile = first_tile; tile < end_tile; tile++) {
                const int64_t at = (panel - first_panel) * p->tiles_per_task + (tile - first_tile);
                const size_t offset = p->passes ? (size_t)at * p->tile_floats : 0;
                multiply(p, p->args->weight, panel, tile, k, count, sums + offset);
                if (p->swiglu)
                    multiply(p, p->args->gate, panel, tile, k, count, gate_sums + offset);
                if (k + count == p->k)
                    write_tile(p, panel, tile, sums + offset, gate_sums + offset);
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
    qv_pool_run(args->count * p.k < SERIAL_VALUES ? NULL : pool, p.tiles, convert_task, &p);
    qv_pool_run(pool, p.groups * p.row_tasks, product_task, &p);
}
