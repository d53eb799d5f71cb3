#include "linear_plan.h"

enum {
    /// Bytes of weights that a task of few rows reads: some 5 us at 25 GB/s, far above the cost of taking a task.
    TASK_BYTES = 128 * 1024,
    /// Tasks per thread that make the last ones to finish a small part of the whole.
    TASKS_PER_THREAD = 6,
};

qv_linear_plan qv_plan_linear(const qv_primitives *isa, const qv_pool *pool, const qv_linear_args *args, int lanes,
                              int most_rows, int64_t rows_per_task, int64_t panel_bytes) {
    const int threads = qv_pool_threads(pool);
    const int64_t wanted = threads == 1 ? 1 : (int64_t)threads * TASKS_PER_THREAD;
    qv_linear_plan p = {.isa = isa, .args = args, .lanes = lanes};
    p.panels = qv_ceil_div(args->weight->rows, lanes);
    p.tiles = qv_ceil_div(args->count, most_rows);
    p.largest_tile = qv_ceil_div(args->count, p.tiles);

    p.panels_per_task = qv_max(1, TASK_BYTES / panel_bytes);
    p.row_tasks = qv_ceil_div(args->count, rows_per_task);
    while (p.panels_per_task > 1 && qv_ceil_div(p.panels, p.panels_per_task) * p.row_tasks < wanted)
        p.panels_per_task /= 2;
    if (p.panels * p.row_tasks < wanted)
        p.row_tasks = qv_min(p.tiles, qv_ceil_div(wanted, p.panels));
    p.tiles_per_task = qv_ceil_div(p.tiles, p.row_tasks);
    p.row_tasks = qv_ceil_div(p.tiles, p.tiles_per_task);
    p.groups = qv_ceil_div(p.panels, p.panels_per_task);
    return p;
}

qv_linear_task qv_linear_task_at(const qv_linear_plan *p, int64_t task) {
    const int64_t panel = task % p->groups * p->panels_per_task, tile = task / p->groups * p->tiles_per_task;
    return (qv_linear_task){.first_panel = panel,
                            .end_panel = qv_min(panel + p->panels_per_task, p->panels),
                            .first_tile = tile,
                            .end_tile = qv_min(tile + p->tiles_per_task, p->tiles)};
}

int qv_tile_sources(const qv_linear_plan *p, int64_t tile, const float *source[QV_MAX_ROWS]) {
    const int64_t first = qv_tile_start(p, tile);
    const int rows = (int)qv_tile_rows(p, tile);
    for (int r = 0; r < rows; r++)
        source[r] = p->args->x + (first + r) * p->args->x_stride;
    return rows;
}

void qv_write_tile(const qv_linear_plan *p, int64_t panel, int64_t tile, const float *c, const float *gate) {
    const qv_linear_args *args = p->args;
    const int64_t first = qv_tile_start(p, tile), column = panel * p->lanes;
    const float *bias = args->weight->bias, *gate_bias = gate ? args->gate->bias : NULL;
    const qv_epilogue_args epilogue = {.kind = args->epilogue,
                                       .rows = qv_tile_rows(p, tile),
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
