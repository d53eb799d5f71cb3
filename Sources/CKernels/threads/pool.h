// What kernels need of the pool: a parallel loop over tasks.
#ifndef QV_POOL_H
#define QV_POOL_H

#include "qwenvl_kernels.h"

/// `worker` is in 0 ..< qv_pool_threads and names the scratch that only this task uses while it runs.
typedef void (*qv_task)(void *context, int64_t task, int worker);

/// Runs task 0 ..< tasks, each exactly once, and returns when all are done. Each worker starts on a contiguous
/// share and takes from others' shares when its own is done; a NULL pool runs everything on the caller.
void qv_pool_run(qv_pool *pool, int64_t tasks, qv_task task, void *context);

#endif
