// Compares quantised products of every kernel table with the generic one's, bit for bit: `emulated.sh` builds and runs
// it for instruction sets that this machine lacks. (Where a table runs, the tests do the same and more.)
#include "common/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *memory(size_t size) {
    void *made = aligned_alloc(64, (size + 63) / 64 * 64 + 64);
    if (made == NULL)
        exit(2);
    memset(made, 0, size);
    return made;
}

static uint32_t state = 1;
static float value(void) {
    state = state * 1664525u + 1013904223u;
    return (float)(int32_t)state / 2147483648.0f;
}

typedef struct {
    int64_t rows, columns, count;
} shape;

static float *product(const qv_kernels *kernels, qv_weight_format format, shape s, const float *w, const float *x) {
    void *packed = memory(qv_matrix_bytes(kernels, format, s.rows, s.columns));
    qv_matrix_pack(kernels, NULL, format, s.rows, s.columns, w, QV_TYPE_F32, 0, s.rows, packed);
    const qv_matrix matrix = {.format = format, .rows = s.rows, .columns = s.columns, .data = packed};
    float *y = memory((size_t)(s.count * s.rows) * sizeof(float));
    const qv_linear_args args = {.count = s.count,
                                 .x = x,
                                 .x_stride = s.columns,
                                 .y = y,
                                 .y_stride = s.rows,
                                 .weight = &matrix,
                                 .epilogue = QV_EPILOGUE_NONE};
    void *scratch = memory(qv_linear_scratch(kernels, NULL, &args));
    qv_linear(kernels, NULL, &args, scratch);
    free(scratch);
    free(packed);
    return y;
}

int main(void) {
    static const shape shapes[] = {{70, 3420, 1}, {70, 3420, 2},  {33, 128, 3},   {64, 1280, 5},   {40, 300, 7},
                                   {96, 256, 9},  {32, 2048, 13}, {100, 640, 25}, {130, 1152, 40}, {64, 4096, 29}};
    int failures = 0, compared = 0;
    for (const char *const *name = qv_kernels_available(); *name != NULL; name++)
        for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes); i++)
            for (int f = 0; f < 2; f++) {
                const shape s = shapes[i];
                const qv_weight_format format = f == 0 ? QV_WEIGHT_I8 : QV_WEIGHT_I4;
                float *w = memory((size_t)(s.rows * s.columns) * sizeof(float));
                float *x = memory((size_t)(s.count * s.columns) * sizeof(float));
                for (int64_t k = 0; k < s.rows * s.columns; k++)
                    w[k] = value();
                for (int64_t k = 0; k < s.count * s.columns; k++)
                    x[k] = 3 * value();
                float *y = product(qv_kernels_named(*name), format, s, w, x);
                float *expected = product(qv_kernels_named("generic"), format, s, w, x);
                compared++;
                if (memcmp(y, expected, (size_t)(s.count * s.rows) * sizeof(float)) != 0) {
                    failures++;
                    printf("%s differs: %d bits, %d rows of x, %d x %d\n", *name, f == 0 ? 8 : 4, (int)s.count,
                           (int)s.rows, (int)s.columns);
                }
                free(w), free(x), free(y), free(expected);
            }
    printf("tables:");
    for (const char *const *name = qv_kernels_available(); *name != NULL; name++)
        printf(" %s", *name);
    printf("\n%d products compared, %d differ\n", compared, failures);
    return failures != 0;
}
