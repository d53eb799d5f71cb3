// y = x Wᵀ with 8-bit and 4-bit weights: which thread computes what. As linear.c, but for blocks of k that carry their
// scales, and panels that may be unpacked on the way. docs/kernels.md tells why.
#include "kernels.h"

enum {
    /// Blocks of k per pass: a panel's part (32 KiB in 8 bits) and the rows' stay in the second-level cache.
    BLOCKS_PER_PASS = 1024 / QV_Q_BLOCK,
    /// Rows of x that one task goes through: 336 x 1024 bytes is a third of a 1 MiB second-level cache.
    ROWS_PER_TASK = 336,
    /// Bytes of weights that a task of few rows reads: some 5 us at 25 GB/s, far above the cost of taking a task.
    TASK_BYTES = 128 * 1024,
    /// Tasks per thread that make the last ones to finish a small part of the whole.
    TASKS_PER_THREAD = 6,
    /// Values of x that are cheaper to round than to share out: about 1 us.
    SERIAL_VALUES = 16384,
};

typedef struct {
    const qv_kernels *kernels;
    const qv_primitives *isa;
    const qv_linear_args *args;
    qv_weight_format format;
    int64_t blocks; // of k
    size_t block_bytes;
    int64_t panels, panels_per_task, groups;
    int64_t tiles, tiles_per_task, row_tasks;
    bool passes; // k does not fit one pass: partial sums rest in scratch
    bool unpacks;
    int matrices; // 2 with a gate
    size_t tile_floats, sums_floats, unpacked_bytes;
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
    p.matrices = args->epilogue == QV_EPILOGUE_SWIGLU ? 2 : 1;
    p.blocks = qv_ceil_div(args->weight->columns, QV_Q_BLOCK);
    p.block_bytes = qv_quantized_block_bytes(p.format);
    p.panels = qv_ceil_div(args->weight->rows, QV_Q_LANES);
    // Few rows multiply packed weights as they come; more are worth unpacking for.
    p.unpacks = p.format == QV_WEIGHT_I4 && args->count > p.isa->i4_rows;
    const int most_rows = p.format == QV_WEIGHT_I4 && !p.unpacks ? p.isa->i4_rows : p.isa->quantized_rows;
    p.tiles = qv_ceil_div(args->count, most_rows);
    const int64_t largest_tile = qv_ceil_div(args->count, p.tiles);
    const int64_t wanted = threads == 1 ? 1 : (int64_t)threads * TASKS_PER_THREAD;

    const int64_t panel_bytes = p.blocks * (int64_t)p.block_bytes * p.matrices;
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
    p.passes = p.tiles > 1 && p.blocks > BLOCKS_PER_PASS;
    p.tile_floats = (size_t)(largest_tile * QV_Q_LANES);
    p.sums_floats = p.tile_floats * (p.passes ? (size_t)(p.tiles_per_task * p.panels_per_task) : 1);
    p.unpacked_bytes = p.unpacks ? (size_t)(p.passes ? BLOCKS_PER_PASS : p.blocks) * QV_I8_BLOCK_BYTES : 0;
    p.worker_bytes = (size_t)p.matrices * (qv_lines(p.sums_floats * sizeof(float)) + qv_lines(p.unpacked_bytes));
    p.x_bytes = qv_lines((size_t)(args->count * p.blocks) * p.isa->quantized_x_bytes);
    return p;
}

size_t qv_quantized_linear_scratch(const qv_kernels *kernels, const qv_pool *pool, const qv_linear_args *args) {
    const plan p = make_plan(kernels, pool, args);
    return p.x_bytes + p.worker_bytes * (size_t)qv_pool_threads(pool);
}

static uint8_t *tile_x(const plan *p, int64_t tile) {
    return p->x + (size_t)(tile_start(p, tile) * p->blocks) * p->isa->quantized_x_bytes;
}

static void convert_task(void *context, int64_t tile, int worker) {
    (void)worker;
    const plan *p = context;
    const int64_t first = tile_start(p, tile);
    const int rows = (int)(tile_start(p, tile + 1) - first);
    const float *source[QV_MAX_ROWS];
    for (int r = 0; r < rows; r++)
        source[r] = p->args->x + (first + r) * p->args->x_stride;
    p->isa->quantize_rows(rows, p->args->weight->columns, source, tile_x(p, tile));
}

/// A panel's blocks from first_block on, as the tiles read them.
static const uint8_t *panel_blocks(const plan *p, const qv_matrix *matrix, int64_t panel, int64_t first_block,
                                   int64_t count, uint8_t *unpacked) {
    const uint8_t *blocks = (const uint8_t *)matrix->data + (size_t)(panel * p->blocks + first_block) * p->block_bytes;
    if (!p->unpacks)
        return blocks;
    p->isa->unpack_i4(blocks, count, unpacked);
    return unpacked;
}

static void write_tile(const plan *p, int64_t panel, int64_t tile, const float *c, const float *gate) {
    const qv_linear_args *args = p->args;
    const int64_t first = tile_start(p, tile), column = panel * QV_Q_LANES;
    const float *bias = args->weight->bias, *gate_bias = p->matrices == 2 ? args->gate->bias : NULL;
    const qv_epilogue_args epilogue = {.kind = args->epilogue,
                                       .rows = tile_start(p, tile + 1) - first,
                                       .columns = qv_min(QV_Q_LANES, args->weight->rows - column),
                                       .c = c,
                                       .gate = gate,
                                       .c_stride = QV_Q_LANES,
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
    uint8_t *memory = p->workers + p->worker_bytes * (size_t)worker;
    float *sums[2];
    uint8_t *unpacked[2];
    for (int m = 0; m < p->matrices; m++) {
        sums[m] = qv_take(&memory, p->sums_floats * sizeof(float));
        unpacked[m] = qv_take(&memory, p->unpacked_bytes);
    }
    const qv_matrix *matrices[2] = {p->args->weight, p->args->gate};
    const qv_quantized_tile *tiles = p->format == QV_WEIGHT_I8 || p->unpacks ? p->isa->tiles_i8
                                     : p->args->count <= p->isa->i4_few_rows ? p->isa->tiles_i4_few
                                                                             : p->isa->tiles_i4;
    const int64_t pass = p->passes ? BLOCKS_PER_PASS : p->blocks;

    for (int64_t block = 0; block < p->blocks; block += pass) {
        const int64_t count = qv_min(pass, p->blocks - block);
        for (int64_t panel = first_panel; panel < end_panel; panel++) {
            const uint8_t *w[2];
            for (int m = 0; m < p->matrices; m++)
                w[m] = panel_blocks(p, matrices[m], panel, block, count, unpacked[m]);
            for (int64_t tile = first_tile; tile < end_tile; tile++) {
                const int64_t at = (panel - first_panel) * p->tiles_per_task + (tile - first_tile);
                const size_t offset = p->passes ? (size_t)at * p->tile_floats : 0;
                const int64_t rows = tile_start(p, tile + 1) - tile_start(p, tile);
                const uint8_t *x = tile_x(p, tile) + (size_t)(rows * block) * p->isa->quantized_x_bytes;
                for (int m = 0; m < p->matrices; m++)
                    tiles[rows - 1](w[m], x, count, sums[m] + offset, QV_Q_LANES, block > 0);
                if (block + count == p->blocks)
                    write_tile(p, panel, tile, sums[0] + offset, p->matrices == 2 ? sums[1] + offset : NULL);
            }
        }
    }
}

void qv_quantized_linear(const qv_kernels *kernels, qv_pool *pool, const qv_linear_args *args, void *scratch) {
    plan p = make_plan(kernels, pool, args);
    uint8_t *rest = scratch;
    p.x = qv_take(&rest, p.x_bytes);
    p.workers = rest;
    qv_pool_run(args->count * args->weight->columns < SERIAL_VALUES ? NULL : pool, p.tiles, convert_task, &p);
    qv_pool_run(pool, p.groups * p.row_tasks, product_task, &p);
}
