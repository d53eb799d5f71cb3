// Allocation with large pages.
#define _GNU_SOURCE
#include "qwenvl_memory.h"

#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

enum {
    LINE = 64,
    LARGE_PAGE = 2 << 20,
    // From here on rounding up to whole large pages wastes an eighth at most.
    LARGE_FROM = 8 * LARGE_PAGE,
};

void *qv_memory_allocate(size_t bytes) {
    const size_t unit = bytes >= LARGE_FROM ? LARGE_PAGE : LINE;
    const size_t rounded = bytes == 0 ? unit : (bytes + unit - 1) / unit * unit;
    if (rounded < bytes)
        return NULL;
    void *memory = NULL;
    if (posix_memalign(&memory, unit, rounded) != 0)
        return NULL;
#if defined(__linux__)
    // A refusal leaves ordinary pages, which are as correct.
    if (unit == LARGE_PAGE)
        (void)madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    return memory;
}

void qv_memory_release(void *memory) {
    free(memory);
}
