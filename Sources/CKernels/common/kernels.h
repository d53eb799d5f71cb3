// Inside view of a kernel table: the primitives an instruction set supplies, and the operations built of them.
#ifndef QV_KERNELS_H
#define QV_KERNELS_H

#include "qwenvl_kernels.h"

enum {
    QV_LINE = 64,
    /// Left operands lie in blocks of so many values of k, so that a tile reads its rows at constant distances.
    QV_K_BLOCK = 64,
    /// No tile has more rows, no panel more lanes.
    QV_MAX_ROWS = 16,
    QV_MAX_PANEL = 64,
    /// Keys per softmax step. Steps end at multiples of it whatever is asked for, so that a token's result does
    /// not depend on how a prompt was cut into chunks; a long context is split over threads at the same places.
    QV_SPAN = 256,
    /// Formats whose products, and whose attention, are floating-point.
    QV_FORMATS = 2,

    // Quantised weights (docs/formats.md).
    QV_Q_BLOCK = QV_QUANTIZED_BLOCK,
    /// Inputs that share a step and a zero point in 4 bits.
    QV_Q_PART = 32,
    QV_Q_PARTS = QV_Q_BLOCK / QV_Q_PART,
    /// Outputs of a panel, whatever a table's vectors are.
    QV_Q_LANES = 32,
    /// Bytes that one row and block of a left operand has beside its values.
    QV_Q_X_EXTRA = sizeof(float) + (QV_Q_PARTS + 1) * sizeof(int32_t),
    /// Values of bytes are kept as value + 128.
    QV_Q_ZERO = 128,
    QV_I8_VALUES = QV_Q_BLOCK * QV_Q_LANES,
    QV_I8_BLOCK_BYTES = QV_I8_VALUES + 2 * QV_Q_LANES,
    // Parts first, scales last: the order in which a product reads them.
    QV_I4_VALUES_AT = QV_Q_PARTS * QV_Q_LANES,
    QV_I4_SCALES_AT = QV_I4_VALUES_AT + QV_Q_BLOCK / 2 * QV_Q_LANES,
    QV_I4_BLOCK_BYTES = QV_I4_SCALES_AT + 2 * QV_Q_LANES,
};

/// c[rows, lanes] (distance c_stride) = x wᵀ, or += when `accumulate`, one chain of additions per element in the order
/// of k. x: left operand of that many rows (qv_primitives.pack_rows). w: panel of vectors * lanes outputs.
typedef void (*qv_tile)(const void *w, const void *x, int64_t k, float *c, int64_t c_stride, bool accumulate);

/// c[rows, QV_Q_LANES] (distance c_stride) = x wᵀ over `blocks` blocks of k, or += when `accumulate`: integers within a
/// block, then one chain of float32 additions in the order of blocks. w: a panel's blocks; x: left operand of that many
/// rows (qv_quantized_operand).
typedef void (*qv_quantized_tile)(const void *w, const void *x, int64_t blocks, float *c, int64_t c_stride,
                                  bool accumulate);

typedef struct {
    qv_epilogue kind;
    int64_t rows, columns;
    const float *c, *gate; // [rows, c_stride]
    int64_t c_stride;
    const float *bias, *gate_bias; // [columns] or NULL
    float *y;
    int64_t y_stride;
} qv_epilogue_args;

/// One step of the online softmax for a tile of query rows.
typedef struct {
    int rows;
    int keys;             // columns of `scores` that hold a product: the largest of `visible`
    const float *scores;  // [rows, QV_SPAN]
    const int *visible;   // [rows] keys that the row sees: a prefix
    float scale_log2;     // scale * log2(e)
    void *probabilities;  // left operand [QV_SPAN / QV_K_BLOCK][rows][QV_K_BLOCK]
    float *maximum, *sum; // [rows] of this step; the maximum in units of log2
} qv_softmax_args;

/// out = out * 2^(maximum - m) + add * 2^(step maximum - m), with m the larger of the two, likewise for sum.
typedef struct {
    int rows, columns;
    const int *visible; // [rows] a row that sees nothing stays as it is
    const float *add;   // [rows, add_stride]
    int64_t add_stride;
    const float *add_maximum, *add_sum;
    float *out; // [rows, out_stride]
    int64_t out_stride;
    float *maximum, *sum; // [rows] running; the maximum is -infinity before the first step
} qv_merge_args;

/// Keys and values of one head: `count` rows that go to slots first_slot… of a block.
typedef struct qv_kv_rows {
    int head_size, first_slot, count;
    const float *k, *v;
    int64_t stride;
} qv_kv_rows;

/// A row in 8 bits is its largest value / QV_KV_LEVELS times a whole number.
#define QV_KV_LEVELS 127.0f

static inline float qv_kv_scale(const float *x, int count) {
    float most = 0;
    for (int i = 0; i < count; i++) {
        const float size = x[i] < 0 ? -x[i] : x[i];
        most = size > most ? size : most;
    }
    return most / QV_KV_LEVELS;
}

static inline int8_t qv_kv_quantized(float x, float scale) {
    // To the nearest, halves to even, as lrintf in every mode that we run in.
    return scale > 0 ? (int8_t)__builtin_lrintf(x / scale) : 0;
}

/// A left operand of products with quantised weights.
typedef struct {
    size_t block_bytes; // of one row and block
    /// rows x k values -> [k / QV_Q_BLOCK]{values [rows][QV_Q_BLOCK], scales [rows],
    /// sums of parts [rows][QV_Q_PARTS], what a sum of (w + QV_Q_ZERO) x begins with to become one of w x [rows]}.
    void (*quantize_rows)(int rows, int64_t k, const float *const *source, void *out);
} qv_quantized_operand;

/// What the shared operations in common/ need from an instruction set.
typedef struct {
    int lanes;                        // float32 per vector
    int vectors;                      // vectors per panel
    int max_rows[QV_FORMATS];         // rows of the largest tile
    int x_size[QV_FORMATS];           // bytes of one value of a left operand
    const qv_tile *tiles[QV_FORMATS]; // [vectors][QV_MAX_ROWS], by vectors - 1 and rows - 1
    /// rows x k values -> [k / QV_K_BLOCK][rows][QV_K_BLOCK]; the last block is padded with zero to an even k.
    void (*pack_rows[QV_FORMATS])(int rows, int64_t k, const float *const *source, void *out);
    void (*epilogue)(const qv_epilogue_args *args);
    void (*softmax[QV_FORMATS])(const qv_softmax_args *args);
    void (*merge)(const qv_merge_args *args);
    void (*scale_row)(int64_t count, const float *x, float factor, float *y);
    /// Writes keys, values into one head's part of a block; the layout is told in cache.c.
    void (*pack_keys[QV_FORMATS])(const qv_kv_rows *rows, void *keys);
    void (*pack_values[QV_FORMATS])(const qv_kv_rows *rows, void *values);
    /// 8-bit keys, values of a block's first tokens in the order of the operand -> the operand.
    void (*unpack_keys[QV_FORMATS])(int head_size, int tokens, const int8_t *stored, const float *scales, void *keys);
    void (*unpack_values[QV_FORMATS])(int head_size, int tokens, const int8_t *stored, const float *scales,
                                      void *values);

    // Quantised formats.
    int quantized_rows;                    // rows of the largest 8-bit tile
    int i4_rows;                           // rows of the largest 4-bit tile
    bool i4_stays_packed;                  // 4-bit tiles are as fast as 8-bit ones, for any number of rows
    qv_quantized_operand i8, i4;           // what the tiles take; that of both where 4 bits do not stay packed
    const qv_quantized_tile *tiles_i8;     // [quantized_rows], by rows - 1
    const qv_quantized_tile *tiles_i4;     // [i4_rows]
    int i4_few_rows;                       // up to so many rows take
    const qv_quantized_tile *tiles_i4_few; // [i4_few_rows]
    /// 4-bit blocks -> the same values as 8-bit blocks.
    void (*unpack_i4)(const void *w, int64_t blocks, void *out);
} qv_primitives;

/// QV_Q_BLOCK weights of one output, quantised.
typedef struct {
    uint8_t values[QV_Q_BLOCK]; // 8 bits: value + QV_Q_ZERO; 4 bits: 0...15
    uint8_t parts[QV_Q_PARTS];  // 4 bits: step | zero point << 4
    uint16_t scale;             // bfloat16
} qv_quantized_weights;

struct qv_kernels {
    const char *name;
    const qv_primitives *primitives; // NULL in the generic table

    size_t (*linear_scratch)(const qv_kernels *kernels, const qv_pool *pool, const qv_linear_args *args);
    void (*linear)(const qv_kernels *kernels, qv_pool *pool, const qv_linear_args *args, void *scratch);
    size_t (*segment_attention_scratch)(const qv_kernels *kernels, const qv_pool *pool,
                                        const qv_segment_attention_args *args);
    void (*segment_attention)(const qv_kernels *kernels, qv_pool *pool, const qv_segment_attention_args *args,
                              void *scratch);
    size_t (*kv_head_bytes)(const qv_kernels *kernels, qv_weight_format format, qv_kv_storage storage, int head_size);
    void (*kv_append)(const qv_kernels *kernels, const qv_kv_layer *layer, const qv_kv_rows *rows, uint8_t *block);
    size_t (*cached_attention_scratch)(const qv_kernels *kernels, const qv_pool *pool,
                                       const qv_cached_attention_args *args);
    void (*cached_attention)(const qv_kernels *kernels, qv_pool *pool, const qv_cached_attention_args *args,
                             void *scratch);

    // Quantised formats: the same results in every table.
    void (*quantize_weights_i8)(const float *w, qv_quantized_weights *out);
    void (*quantize_weights_i4)(const float *w, qv_quantized_weights *out);

    // Rows.
    void (*rms_norm_row)(int64_t columns, const float *x, const float *weight, float epsilon, float *y);
    void (*rotate_row)(float *x, int heads, int head_size, const float *cosine, const float *sine);
    void (*convert_row)(const void *source, qv_type type, int64_t count, float *y);
    void (*logits_summary)(int64_t count, const float *x, int64_t *argmax, float *log_sum_exp);
};

extern const qv_kernels qv_kernels_generic;
#if defined(__x86_64__)
extern const qv_kernels qv_kernels_avx2, qv_kernels_avxvnni, qv_kernels_avx512, qv_kernels_avx512vnni,
    qv_kernels_avx512bf16;
#elif defined(__aarch64__)
extern const qv_kernels qv_kernels_neon, qv_kernels_neondot, qv_kernels_neoni8mm;
#endif

// Layout of packed weights in all tables: panels of so many outputs (the generic table: one).
int qv_panel_lanes(const qv_kernels *kernels);

static inline bool qv_is_quantized(qv_weight_format format) {
    return format == QV_WEIGHT_I8 || format == QV_WEIGHT_I4;
}
static inline size_t qv_quantized_block_bytes(qv_weight_format format) {
    return format == QV_WEIGHT_I8 ? QV_I8_BLOCK_BYTES : QV_I4_BLOCK_BYTES;
}
void qv_quantized_pack(const qv_kernels *, qv_pool *, qv_weight_format, int64_t rows, int64_t columns,
                       const void *source, qv_type, int64_t first_row, int64_t count, void *data);
/// Values of a row of weights or of a table as float32; not QV_TYPE_I8_BLOCKS.
void qv_to_f32(const uint8_t *source, qv_type type, int64_t count, float *out);

// Shared operations, for tables that have primitives.
size_t qv_tiled_linear_scratch(const qv_kernels *, const qv_pool *, const qv_linear_args *);
void qv_tiled_linear(const qv_kernels *, qv_pool *, const qv_linear_args *, void *scratch);
size_t qv_quantized_linear_scratch(const qv_kernels *, const qv_pool *, const qv_linear_args *);
void qv_quantized_linear(const qv_kernels *, qv_pool *, const qv_linear_args *, void *scratch);
size_t qv_tiled_segment_attention_scratch(const qv_kernels *, const qv_pool *, const qv_segment_attention_args *);
void qv_tiled_segment_attention(const qv_kernels *, qv_pool *, const qv_segment_attention_args *, void *scratch);
size_t qv_tiled_kv_head_bytes(const qv_kernels *, qv_weight_format, qv_kv_storage, int head_size);
void qv_tiled_kv_append(const qv_kernels *, const qv_kv_layer *, const qv_kv_rows *, uint8_t *block);
size_t qv_tiled_cached_attention_scratch(const qv_kernels *, const qv_pool *, const qv_cached_attention_args *);
void qv_tiled_cached_attention(const qv_kernels *, qv_pool *, const qv_cached_attention_args *, void *scratch);

// ------------------------------------------------------------------------------------------------ small things

static inline int64_t qv_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t qv_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static inline int64_t qv_ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
static inline int64_t qv_round_up(int64_t a, int64_t b) {
    return qv_ceil_div(a, b) * b;
}
static inline size_t qv_lines(size_t bytes) {
    return (bytes + QV_LINE - 1) / QV_LINE * QV_LINE;
}

/// k rounded up to whole pairs, the unit of bfloat16 products.
static inline int64_t qv_padded_k(qv_weight_format format, int64_t k) {
    return format == QV_WEIGHT_BF16 ? k + (k & 1) : k;
}
static inline size_t qv_weight_size(qv_weight_format format) {
    return format == QV_WEIGHT_BF16 ? 2 : 4;
}

static inline uint32_t qv_bits(float x) {
    union {
        float f;
        uint32_t u;
    } v = {.f = x};
    return v.u;
}
static inline float qv_from_bits(uint32_t u) {
    union {
        uint32_t u;
        float f;
    } v = {.u = u};
    return v.f;
}
static inline float qv_from_bf16(uint16_t h) {
    return qv_from_bits((uint32_t)h << 16);
}
/// Nearest even; NaN stays NaN.
static inline uint16_t qv_to_bf16(float x) {
    uint32_t u = qv_bits(x);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
static inline float qv_from_f16(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
    if (rest >= 0x7c00) // infinity, NaN
        return qv_from_bits(sign | 0x7f800000u | (rest & 0x3ff) << 13);
    if (rest >= 0x400)
        return qv_from_bits(sign | ((rest << 13) + (112u << 23)));
    float subnormal = (float)rest * 0x1p-24f;
    return qv_from_bits(sign | qv_bits(subnormal));
}

/// A row of QV_TYPE_I8_BLOCKS as float32.
static inline void qv_from_i8_blocks(const uint8_t *row, int64_t count, float *y) {
    const uint8_t *scales = row + qv_round_up(count, QV_Q_BLOCK);
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *at = scales + i / QV_Q_BLOCK * 2;
        y[i] = (float)(row[i] - QV_Q_ZERO) * qv_from_bf16((uint16_t)(at[0] | at[1] << 8));
    }
}

/// Cuts `size` bytes, rounded up to lines, off the front of *scratch.
static inline void *qv_take(uint8_t **scratch, size_t size) {
    void *taken = *scratch;
    *scratch += qv_lines(size);
    return taken;
}

#endif
