// A fork-join pool. A job is closed as soon as its last task has finished: the caller waits only for workers that
// are inside it, so one that is still waking up delays nobody.
#define _POSIX_C_SOURCE 200112L
#include "qwenvl_kernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
static inline void relax(void) {
    _mm_pause();
}
#elif defined(__aarch64__)
static inline void relax(void) {
    __asm__ __volatile__("yield");
}
#else
static inline void relax(void) {}
#endif

enum {
    LINE = 128, // two cache lines: x86 fetches them in pairs, Apple's are this long
    // A caller whose worker lost its core to another process gives its own up after so many polls (about 20 us).
    POLLS_BEFORE_YIELD = 1000,
    // A worker that waits looks at the clock so often (about 5 us), and lets others have the core: a server's clients.
    POLLS_BETWEEN_CLOCKS = 256,
};

/// An active worker that finds no job for so long parks: the gap between two operations of a step is below 10 us,
/// between two steps below 1 ms, and a core spun for longer is taken from somebody.
static const int64_t spin_nanoseconds = 3000000;

typedef struct {
    _Alignas(LINE) atomic_llong next;
    int64_t end;
} share;

typedef struct {
    pthread_t thread;
    qv_pool *pool;
    int index;
} worker;

struct qv_pool {
    // Written by the caller, read by everyone, once per job.
    _Alignas(LINE) atomic_uint generation;
    atomic_bool open;
    qv_task task;
    void *context;
    // Written by everyone.
    _Alignas(LINE) atomic_int inside;
    atomic_int parked;
    // Seldom written.
    _Alignas(LINE) atomic_bool active;
    atomic_bool stopping;
    int threads, started;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    worker *workers;
    share *shares;
};

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void work(qv_pool *pool, int self) {
    const int threads = pool->threads;
    for (int k = 0; k < threads; k++) {
        share *from = &pool->shares[(self + k) % threads];
        for (;;) {
            // The read before the write keeps exhausted shares from being contended for.
            if (atomic_load_explicit(&from->next, memory_order_relaxed) >= from->end)
                break;
            int64_t task = atomic_fetch_add_explicit(&from->next, 1, memory_order_relaxed);
            if (task >= from->end)
                break;
            pool->task(pool->context, task, self);
        }
    }
}

/// Waits for a generation other than `seen`; returns it.
static unsigned await(qv_pool *pool, unsigned seen) {
    int64_t deadline = 0;
    for (int poll = 1;; poll++) {
        unsigned generation = atomic_load(&pool->generation);
        if (generation != seen || atomic_load_explicit(&pool->stopping, memory_order_relaxed))
            return generation;
        if (!atomic_load_explicit(&pool->active, memory_order_relaxed))
            break;
        if (poll % POLLS_BETWEEN_CLOCKS == 0) {
            int64_t time = now();
            if (deadline == 0)
                deadline = time + spin_nanoseconds;
            else if (time > deadline)
                break;
            sched_yield();
        }
        relax();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->parked, 1);
    while (atomic_load(&pool->generation) == seen && !atomic_load(&pool->stopping))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->parked, 1);
    pthread_mutex_unlock(&pool->mutex);
    return atomic_load(&pool->generation);
}

static void *worker_main(void *argument) {
    worker *self = argument;
    qv_pool *pool = self->pool;
    unsigned seen = 0;
    while (!atomic_load(&pool->stopping)) {
        seen = await(pool, seen);
        // Entering before looking whether the job is open: the caller closes it before it looks who is inside.
        atomic_fetch_add(&pool->inside, 1);
        if (atomic_load(&pool->open))
            work(pool, self->index);
        atomic_fetch_sub(&pool->inside, 1);
    }
    return NULL;
}

static void wake_parked(qv_pool *pool) {
    if (atomic_load(&pool->parked) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

void qv_pool_run(qv_pool *pool, int64_t tasks, qv_task task, void *context) {
    if (tasks <= 0)
        return;
    if (pool == NULL || pool->threads == 1 || tasks == 1) {
        for (int64_t i = 0; i < tasks; i++)
            task(context, i, 0);
        return;
    }
    const int threads = pool->threads;
    for (int i = 0; i < threads; i++) {
        atomic_store_explicit(&pool->shares[i].next, tasks * i / threads, memory_order_relaxed);
        pool->shares[i].end = tasks * (i + 1) / threads;
    }
    pool->task = task;
    pool->context = context;
    atomic_store(&pool->open, true);
    atomic_fetch_add(&pool->generation, 1);
    wake_parked(pool);
    work(pool, 0);
    atomic_store(&pool->open, false);
    for (int poll = 1; atomic_load(&pool->inside) != 0; poll++) {
        if (poll % POLLS_BEFORE_YIELD == 0)
            sched_yield();
        relax();
    }
}

qv_pool *qv_pool_create(int threads) {
    if (threads < 1)
        threads = 1;
    void *memory = NULL, *shares = NULL;
    if (posix_memalign(&memory, LINE, sizeof(qv_pool)) != 0)
        return NULL;
    qv_pool *pool = memory;
    *pool = (qv_pool){.threads = threads};
    atomic_init(&pool->active, false);
    pool->workers = calloc((size_t)threads, sizeof(worker));
    if (pool->workers == NULL || posix_memalign(&shares, LINE, (size_t)threads * sizeof(share)) != 0) {
        free(pool->workers);
        free(pool);
        return NULL;
    }
    pool->shares = shares;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    for (int i = 0; i < threads; i++)
        pool->shares[i] = (share){0};
    for (int i = 1; i < threads; i++) {
        pool->workers[i] = (worker){.pool = pool, .index = i};
        if (pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]) != 0) {
            qv_pool_destroy(pool);
            return NULL;
        }
        pool->started = i;
    }
    return pool;
}

void qv_pool_destroy(qv_pool *pool) {
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stopping, true);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 1; i <= pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->shares);
    free(pool->workers);
    free(pool);
}

int qv_pool_threads(const qv_pool *pool) {
    return pool == NULL ? 1 : pool->threads;
}

void qv_pool_set_active(qv_pool *pool, bool active) {
    if (pool == NULL)
        return;
    atomic_store(&pool->active, active);
}
