// Memory for what kernels read and write.
#ifndef QWENVL_MEMORY_H
#define QWENVL_MEMORY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// At least `bytes` of uninitialised memory on a 64-byte boundary, NULL when there is none. Large blocks are put on
/// 2 MiB pages where the system grants them: walks of the page table cost a third of the rate at which weights are
/// read. Free it with qv_memory_release.
void *qv_memory_allocate(size_t bytes);
void qv_memory_release(void *memory);

#ifdef __cplusplus
}
#endif
#endif
