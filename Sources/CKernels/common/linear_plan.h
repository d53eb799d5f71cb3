// How y = x Wᵀ is shared out: panels of W's rows, tiles of x's rows, and tasks of some panels by some tiles. Common to
// all formats of weights.
#ifndef QV_LINEAR_PLAN_H
#define QV_LINEAR_PLAN_H

#include "kernels.h"

typedef struct {
    const qv_primitives *isa;
    const qv_linear_args *args;
    int lanes; // of a panel
    int64_t panels, panels_per_task, groups;
    int64_t tiles, largest_tile, tiles_per_task, row_tasks;
} qv_linear_plan;

enum {
    /// Values of x that are cheaper to convert than to share out: about 1 us.
    QV_SERIAL_VALUES = 16384,
};

/// most_rows: of a tile. rows_per_task: of x, that one task goes through. panel_bytes: that a panel's product reads.
qv_linear_plan qv_plan_linear(const qv_primitives *isa, const qv_pool *pool, const qv_linear_args *args, int lanes,
                              int most_rows, int64_t rows_per_task, int64_t panel_bytes);

/// Rows are spread evenly over the tiles, larger tiles first.
static inline int64_t qv_tile_start(const qv_linear_plan *p, int64_t tile) {
    const int64_t base = p->args->count / p->tiles, larger = p->args->count % p->tiles;
    return tile * base + qv_min(tile, larger);
}

static inline int64_t qv_tile_rows(const qv_linear_plan *p, int64_t tile) {
    return qv_tile_start(p, tile + 1) - qv_tile_start(p, tile);
}

typedef struct {
    int64_t first_panel, end_panel, first_tile, end_tile;
} qv_linear_task;

qv_linear_task qv_linear_task_at(const qv_linear_plan *plan, int64_t task);

/// The rows of x that a tile takes; returns how many.
int qv_tile_sources(const qv_linear_plan *plan, int64_t tile, const float *source[QV_MAX_ROWS]);

/// A tile's finished sums to y, through the epilogue. gate: its other sums, where there is a gate.
void qv_write_tile(const qv_linear_plan *plan, int64_t panel, int64_t tile, const float *c, const float *gate);

#endif
