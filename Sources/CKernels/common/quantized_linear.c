// y = x Wᵀ with 8-bit and 4-bit weights: which thread computes what. As linear.c, but for blocks of k that carry their
// scales, and panels that may be unpacked on the way. docs/kernels.md tells why.
#include "linear_plan.h"

enum {
    /// Blocks of k per pass: a panel's part (32 KiB in 8 bits) and the rows' stay in the second-level cache.
    BLOCKS_PER_PASS = 1024 / QV_Q_BLOCK,
    /// Rows of x that one task goes through: 336 x 1024 bytes is a third of a 1 MiB second-level cache.
    ROWS_PER_TASK = 336,
};

typedef struct {
    qv_linear_plan parts;
    const qv_primitives *isa;
    const qv_linear_args *args;
    qv_weight_format format;
    qv_quantized_operand operand;
    int64_t blocks; // of k
    size_t block_bytes;
    bool passes; // k does not fit one pass: partial sums rest in scratch
    bool unpacks;
    int matrices; // 2 with a gate
    size_t tile_floats, sums_floats, unpacked_bytes;
    size_t x_bytes, worker_bytes;
    uint8_t *x, *workers;
} plan;

static plan make_plan(const qv_kernels *kernels, const qv_pool *pool, const qv_linear_args *args) {
    plan p = {.isa = kernels->primitives, .args = args, .format = args->weight->format};
    p.matrices = args->epilogue == QV_EPILOGUE_SWIGLU ? 2 : 1;
    p.blocks = qv_ceil_div(args->weight->columns, QV_Q_BLOCK);
    p.block_bytes = qv_quantized_block_bytes(p.format);
    // Few rows multiply packed weights as they come; more are worth unpacking for.
    p.unpacks = p.format == QV_WEIGHT_I4 && args->count > p.isa->i4_rows && !p.isa->i4_stays_packed;
    const bool is_packed = p.format == QV_WEIGHT_I4 && !p.unpacks;
    const int most_rows = is_packed ? p.isa->i4_rows : p.isa->quantized_rows;
    p.operand = is_packed ? p.isa->i4 : p.isa->i8;
    p.parts = qv_plan_linear(p.isa, pool, args, QV_Q_LANES, most_rows, ROWS_PER_TASK,
                             p.blocks * (int64_t)p.block_bytes * p.matrices);

    // With a single row tile the pass is as long as k: nothing is gained by leaving it halfway.
    p.passes = p.parts.tiles > 1 && p.blocks > BLOCKS_PER_PASS;
    p.tile_floats = (size_t)(p.parts.largest_tile * QV_Q_LANES);
    p.sums_floats = p.tile_floats * (p.passes ? (size_t)(p.parts.tiles_per_task * p.parts.panels_per_task) : 1);
    p.unpacked_bytes = p.unpacks ? (size_t)(p.passes ? BLOCKS_PER_PASS : p.blocks) * QV_I8_BLOCK_BYTES : 0;
    p.worker_bytes = (size_t)p.matrices * (qv_lines(p.sums_floats * sizeof(float)) + qv_lines(p.unpacked_bytes));
    p.x_bytes = qv_lines((size_t)(args->count * p.blocks) * p.operand.block_bytes);
    return p;
}

size_t qv_quantized_linear_scratch(const qv_kernels *kernels, const qv_pool *pool, const qv_linear_args *args) {
    const plan p = make_plan(kernels, pool, args);
    return p.x_bytes + p.worker_bytes * (size_t)qv_pool_threads(pool);
}

static uint8_t *tile_x(const plan *p, int64_t tile) {
    return p->x + (size_t)(qv_tile_start(&p->parts, tile) * p->blocks) * p->operand.block_bytes;
}

static void convert_task(void *context, int64_t tile, int worker) {
    (void)worker;
    const plan *p = context;
    const float *source[QV_MAX_ROWS];
    const int rows = qv_tile_sources(&p->parts, tile, source);
    p->operand.quantize_rows(rows, p->args->weight->columns, source, tile_x(p, tile));
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

static void product_task(void *context, int64_t task, int worker) {
    const plan *p = context;
    const qv_linear_task part = qv_linear_task_at(&p->parts, task);
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
        for (int64_t panel = part.first_panel; panel < part.end_panel; panel++) {
            const uint8_t *w[2];
            for (int m = 0; m < p->matrices; m++)
                w[m] = panel_blocks(p, matrices[m], panel, block, count, unpacked[m]);
            for (int64_t tile = part.first_tile; tile < part.end_tile; tile++) {
                const int64_t at = (panel - part.first_panel) * p->parts.tiles_per_task + (tile - part.first_tile);
                const size_t offset = p->passes ? (size_t)at * p->tile_floats : 0;
                const int64_t rows = qv_tile_rows(&p->parts, tile);
                const uint8_t *x = tile_x(p, tile) + (size_t)(rows * block) * p->operand.block_bytes;
                for (int m = 0; m < p->matrices; m++)
                    tiles[rows - 1](w[m], x, count, sums[m] + offset, QV_Q_LANES, block > 0);
                if (block + count == p->blocks)
                    qv_write_tile(&p->parts, panel, tile, sums[0] + offset, p->matrices == 2 ? sums[1] + offset : NULL);
            }
        }
    }
}

void qv_quantized_linear(const qv_kernels *kernels, qv_pool *pool, const qv_linear_args *args, void *scratch) {
    plan p = make_plan(kernels, pool, args);
    uint8_t *rest = scratch;
    p.x = qv_take(&rest, p.x_bytes);
    p.workers = rest;
    qv_pool_run(args->count * args->weight->columns < QV_SERIAL_VALUES ? NULL : pool, p.parts.tiles, convert_task, &p);
    qv_pool_run(pool, p.parts.groups * p.parts.row_tasks, product_task, &p);
}
