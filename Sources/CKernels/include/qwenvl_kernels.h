// The CPU kernels: one table of functions per instruction set, a fork-join pool, CPU features.
//
// Conventions. Activations are float32, row-major, `stride` counts elements between rows. Weights and the
// KV cache are stored in layouts of the kernel table that packed them: opaque, and only valid with it.
// Kernels never allocate: where scratch memory is needed, a `_scratch` function tells how many bytes.
// Buffers handed in are aligned to 64 bytes at least where the comment says so; rows need not be.
#ifndef QWENVL_KERNELS_H
#define QWENVL_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------------------------------------- threads

/// A fork-join pool. One caller at a time; the caller's thread works as worker 0.
typedef struct qv_pool qv_pool;

/// Returns NULL when a thread or memory cannot be had. `threads` counts the caller (1 = no worker thread).
qv_pool *qv_pool_create(int threads);
void qv_pool_destroy(qv_pool *pool);
int qv_pool_threads(const qv_pool *pool);
/// Workers of an active pool spin between jobs (a fork costs ~0.1 us); those of an inactive one sleep.
void qv_pool_set_active(qv_pool *pool, bool active);

/// `worker` is in 0 ..< qv_pool_threads and names the scratch that only this task uses while it runs.
typedef void (*qv_task)(void *context, int64_t task, int worker);

/// Runs task 0 ..< tasks, each exactly once, and returns when all are done. Each worker starts on a contiguous
/// share and takes from others' shares when its own is done; a NULL pool runs everything on the caller.
void qv_pool_run(qv_pool *pool, int64_t tasks, qv_task task, void *context);

// ------------------------------------------------------------------------------------------ instruction sets

typedef struct qv_kernels qv_kernels;

/// The fastest table this processor can run, or the one that QWENVL_ISA names
/// (generic, avx2, avxvnni, avx512, avx512vnni, avx512bf16, neon, neondot, neoni8mm). NULL when QWENVL_ISA names one
/// that cannot run here.
const qv_kernels *qv_kernels_best(void);
/// The table of that name, NULL when it is unknown or this processor cannot run it.
const qv_kernels *qv_kernels_named(const char *name);
/// Names of the tables this processor can run, slowest ("generic") first, NULL-terminated.
const char *const *qv_kernels_available(void);
const char *qv_kernels_name(const qv_kernels *kernels);

// ----------------------------------------------------------------------------------------------- matrices

/// I8_BLOCKS: rows of bytes (value + 128) padded to whole blocks of QV_QUANTIZED_BLOCK, then one bfloat16 scale for
/// each block (qv_quantize_rows makes them).
typedef enum { QV_TYPE_F32 = 0, QV_TYPE_BF16 = 1, QV_TYPE_F16 = 2, QV_TYPE_I8_BLOCKS = 3 } qv_type;

/// Inputs that share a scale, in weights and activations of the quantised formats.
#define QV_QUANTIZED_BLOCK 128

/// Formats of packed weights, which also set the arithmetic of the product.
/// F32: everything float32. BF16: activations are rounded to bfloat16 (nearest even) on their way in,
/// products accumulate in float32.
/// I8, I4: weights of 8 or 4 bits; activations are rounded to 8 bits on their way in, each block of a row by its own
/// largest value. Sums within a block are exact integers, over blocks float32. Their layout is the same in all tables
/// (docs/formats.md), so it may lie in a file.
typedef enum { QV_WEIGHT_F32 = 0, QV_WEIGHT_BF16 = 1, QV_WEIGHT_I8 = 2, QV_WEIGHT_I4 = 3 } qv_weight_format;

/// A packed weight W [rows, columns] of y = x Wᵀ + bias: rows = outputs, columns = inputs.
typedef struct {
    qv_weight_format format;
    int64_t rows, columns;
    const void *data;  // qv_matrix_bytes, 64-byte aligned, filled by qv_matrix_pack
    const float *bias; // [rows], or NULL
} qv_matrix;

size_t qv_matrix_bytes(const qv_kernels *kernels, qv_weight_format format, int64_t rows, int64_t columns);

/// Packs `count` rows of `source` ([count, columns], row-major, any alignment) as rows first_row… of the matrix at
/// `data`. A matrix may be packed from several sources, one call each, in any order; every row must be packed once.
/// Rows past the last (padding up to whole panels) are zeroed by the call that packs the last row.
void qv_matrix_pack(const qv_kernels *kernels, qv_pool *pool, qv_weight_format format, int64_t rows, int64_t columns,
                    const void *source, qv_type source_type, int64_t first_row, int64_t count, void *data);

/// Fills a packed matrix with random values of the size that trained weights have: for measuring shapes.
void qv_matrix_fill(const qv_kernels *kernels, qv_pool *pool, qv_weight_format format, int64_t rows, int64_t columns,
                    uint64_t seed, void *data);

typedef enum {
    QV_EPILOGUE_NONE = 0,  // y = x Wᵀ + bias
    QV_EPILOGUE_ADD = 1,   // y += x Wᵀ + bias (a residual)
    QV_EPILOGUE_GELU = 2,  // y = gelu(x Wᵀ + bias), the exact form with erf
    QV_EPILOGUE_SWIGLU = 3 // y = silu(x Gᵀ + gate bias) * (x Wᵀ + bias): `gate` is G, `weight` is W (up)
} qv_epilogue;

typedef struct {
    int64_t count; // rows of x and y
    const float *x;
    int64_t x_stride;
    float *y; // must not overlap x
    int64_t y_stride;
    const qv_matrix *weight;
    const qv_matrix *gate; // SWIGLU only: same shape and format as weight
    qv_epilogue epilogue;
} qv_linear_args;

/// Bytes of scratch (64-byte aligned) for a product with these shapes.
size_t qv_linear_scratch(const qv_kernels *kernels, const qv_pool *pool, const qv_linear_args *args);
void qv_linear(const qv_kernels *kernels, qv_pool *pool, const qv_linear_args *args, void *scratch);

// -------------------------------------------------------------------------------------------- elementwise

/// y[i] = x[i] / sqrt(mean(x[i]^2) + epsilon) * weight. y may be x.
void qv_rms_norm(const qv_kernels *kernels, qv_pool *pool, int64_t count, int64_t columns, const float *x,
                 int64_t x_stride, const float *weight, float epsilon, float *y, int64_t y_stride);

/// Rotates in place the pairs (i, i + head_size/2) of each of `heads` heads that lie side by side from x on:
/// (a, b) -> (a cos - b sin, b cos + a sin). cosine, sine: [count, head_size/2].
void qv_rotate(const qv_kernels *kernels, qv_pool *pool, int64_t count, float *x, int64_t stride, int heads,
               int head_size, const float *cosine, const float *sine);

/// y[i] = table[ids[i]], converted to float32. The table is the checkpoint's own, unpacked: [*, columns], any
/// alignment.
void qv_embed(const qv_kernels *kernels, qv_pool *pool, int64_t count, const int32_t *ids, const void *table,
              qv_type type, int64_t columns, float *y, int64_t y_stride);

/// Bytes of a row of QV_TYPE_I8_BLOCKS.
size_t qv_quantized_row_bytes(int64_t columns);
/// Rounds rows of float32 to QV_TYPE_I8_BLOCKS, one after another.
void qv_quantize_rows(const qv_kernels *kernels, qv_pool *pool, int64_t count, int64_t columns, const float *x,
                      int64_t x_stride, void *out);

/// y[i] = x[index[i]]
void qv_gather_rows(const qv_kernels *kernels, qv_pool *pool, int64_t count, const int32_t *index, int64_t columns,
                    const float *x, int64_t x_stride, float *y, int64_t y_stride);
/// y[index[i]] = x[i]
void qv_scatter_rows(const qv_kernels *kernels, qv_pool *pool, int64_t count, const int32_t *index, int64_t columns,
                     const float *x, int64_t x_stride, float *y, int64_t y_stride);

/// The index of the first largest value (NaN never wins; -1 if nothing is larger than -inf), and log(sum(exp(x))).
void qv_logits_summary(const qv_kernels *kernels, int64_t count, const float *x, int64_t *argmax, float *log_sum_exp);

// --------------------------------------------------------------------------------------- vision attention

/// softmax(q kᵀ scale) v, where each row sees exactly the rows of its own segment. No score matrix is materialised.
/// Segment s spans rows segment_starts[s] ..< segment_starts[s + 1].
/// `arithmetic` QV_WEIGHT_F32: float32 throughout. QV_WEIGHT_BF16: q, k, v and the probabilities are rounded to
/// bfloat16 as they enter products; maxima, sums and accumulators stay float32.
typedef struct {
    const float *q, *k, *v; // [rows, heads * head_size], each with `stride`
    int64_t stride;
    float *out; // [rows, heads * head_size]
    int64_t out_stride;
    int heads, head_size;
    float scale;
    const int32_t *segment_starts; // [segments + 1], ascending
    int segments;
    qv_weight_format arithmetic;
} qv_segment_attention_args;

size_t qv_segment_attention_scratch(const qv_kernels *kernels, const qv_pool *pool,
                                    const qv_segment_attention_args *args);
void qv_segment_attention(const qv_kernels *kernels, qv_pool *pool, const qv_segment_attention_args *args,
                          void *scratch);

// ------------------------------------------------------------------------------- cached (paged) attention

/// Tokens per block of the KV cache.
#define QV_KV_BLOCK_TOKENS 64

/// How a cache keeps keys and values.
typedef enum {
    QV_KV_PLAIN, // as attention computes with them
    QV_KV_I8,    // 8 bits a value, and a float32 scale for each token's keys and values of a head
} qv_kv_storage;

/// One layer's part of a paged KV cache. Block b's part lies at base + b * block_stride, and is
/// qv_kv_block_bytes long; its layout belongs to the kernel table.
typedef struct {
    qv_weight_format format; // F32: float32 arithmetic, and plain cache; BF16: bfloat16
    qv_kv_storage storage;
    int kv_heads, head_size;
    uint8_t *base; // 64-byte aligned, as is block_stride
    size_t block_stride;
} qv_kv_layer;

/// One sequence's share of a step: rows first_row ..< first_row + count of the step's q, k, v
/// are its tokens past ..< past + count. Token t of the sequence lies in block blocks[t / QV_KV_BLOCK_TOKENS].
typedef struct {
    const int32_t *blocks;
    int64_t past;
    int64_t first_row;
    int64_t count;
} qv_sequence;

size_t qv_kv_block_bytes(const qv_kernels *kernels, qv_weight_format format, qv_kv_storage storage, int kv_heads,
                         int head_size);

/// Writes the new tokens' keys and values ([rows, kv_heads * head_size], with `stride`) into the cache.
/// The slots of a block past the last token written may hold anything afterwards, but a block must be appended to in
/// order.
void qv_kv_append(const qv_kernels *kernels, qv_pool *pool, const qv_kv_layer *layer, const qv_sequence *sequences,
                  int sequence_count, const float *k, const float *v, int64_t stride);

/// Causal attention of each sequence's new tokens over its whole past and themselves (already appended).
/// Query head h reads KV head h / (heads / kv_heads).
typedef struct {
    const qv_kv_layer *layer;
    const qv_sequence *sequences;
    int sequence_count;
    const float *q; // [rows, heads * head_size]
    int64_t q_stride;
    float *out; // [rows, heads * head_size]
    int64_t out_stride;
    int heads;
    float scale;
} qv_cached_attention_args;

size_t qv_cached_attention_scratch(const qv_kernels *kernels, const qv_pool *pool,
                                   const qv_cached_attention_args *args);
void qv_cached_attention(const qv_kernels *kernels, qv_pool *pool, const qv_cached_attention_args *args, void *scratch);

#ifdef __cplusplus
}
#endif
#endif
