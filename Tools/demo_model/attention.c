// Attention within segments, forward and backward, for training on a CPU: float32, heads of 32, no padding.
// Every product here is small; what counts is that scores and their gradients never leave the cache.
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { WIDTH = 32, LANES = 16, BLOCK = 64 }; // of a head, of a vector; query rows at a time

typedef float vec __attribute__((vector_size(64)));
typedef float loose_vec __attribute__((vector_size(64), aligned(4)));
typedef int32_t int_vec __attribute__((vector_size(64)));

static inline vec load(const float *p) { return *(const loose_vec *)p; }
static inline void store(float *p, vec x) { *(loose_vec *)p = x; }
static inline int64_t padded(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

// 2^n times a polynomial for the rest (relative error 2e-7); what is below -87 gives 0.
static inline vec exponential(vec x) {
    const int_vec above = x > -87.0f;
    x = (vec)(((int_vec)x & above));
    const vec t = x * 1.44269504f;
    const int_vec n = __builtin_convertvector(t + (vec)(((int_vec)t & INT32_MIN) | 0x3f000000), int_vec);
    const vec whole = __builtin_convertvector(n, vec);
    const vec r = x - whole * 0.693359375f + whole * 2.12194440e-4f;
    vec y = r * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    return (vec)((int_vec)(y * (vec)((n + 127) << 23)) & above);
}

static inline vec larger(vec x, vec y) {
    const int_vec first = x > y;
    return (vec)(((int_vec)x & first) | ((int_vec)y & ~first));
}

static inline float sum(vec x) {
    float s = 0;
    for (int i = 0; i < LANES; i++)
        s += x[i];
    return s;
}

// rows x (16 vectors) of c = a b, or c += a b. a's element (i, k) stands at a[i * row + k * column].
static inline __attribute__((always_inline)) void tile(const int rows, const int vectors, int64_t depth,
                                                       const float *a, int64_t row, int64_t column, const float *b,
                                                       int64_t b_row, float *c, int64_t c_row, int add) {
    vec sums[6][4];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sums[i][j] = add ? load(c + i * c_row + j * LANES) : (vec){0};
    for (int64_t k = 0; k < depth; k++) {
        vec right[4];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            right[j] = load(b + k * b_row + j * LANES);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            const float left = a[i * row + k * column];
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                sums[i][j] += left * right[j];
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            store(c + i * c_row + j * LANES, sums[i][j]);
}

static inline __attribute__((always_inline)) void strip(const int vectors, int64_t rows, int64_t depth, const float *a,
                                                        int64_t row, int64_t column, const float *b, int64_t b_row,
                                                        float *c, int64_t c_row, int add) {
    int64_t i = 0;
    for (; i + 6 <= rows; i += 6)
        tile(6, vectors, depth, a + i * row, row, column, b, b_row, c + i * c_row, c_row, add);
    for (; i + 2 <= rows; i += 2)
        tile(2, vectors, depth, a + i * row, row, column, b, b_row, c + i * c_row, c_row, add);
    if (i < rows)
        tile(1, vectors, depth, a + i * row, row, column, b, b_row, c + i * c_row, c_row, add);
}

// Sums of 6 rows in vectors of 16: what the registers hold.
#ifdef __AVX512F__
enum { STRIP = 4 };
#else
enum { STRIP = 1 };
#endif

// columns is a multiple of 16.
static void product(int64_t rows, int64_t columns, int64_t depth, const float *a, int64_t row, int64_t column,
                    const float *b, int64_t b_row, float *c, int64_t c_row, int add) {
    int64_t j = 0;
    for (; STRIP == 4 && j + 4 * LANES <= columns; j += 4 * LANES)
        strip(4, rows, depth, a, row, column, b + j, b_row, c + j, c_row, add);
    for (; STRIP == 4 && j + 2 * LANES <= columns; j += 2 * LANES)
        strip(2, rows, depth, a, row, column, b + j, b_row, c + j, c_row, add);
    for (; j < columns; j += LANES)
        strip(1, rows, depth, a, row, column, b + j, b_row, c + j, c_row, add);
}

// to [WIDTH, padded(n)], zero behind the n-th.
static void transpose(int64_t n, const float *from, int64_t row, float *to) {
    const int64_t wide = padded(n);
    for (int d = 0; d < WIDTH; d++) {
        for (int64_t i = 0; i < n; i++)
            to[d * wide + i] = from[i * row + d];
        memset(to + d * wide + n, 0, (size_t)(wide - n) * sizeof(float));
    }
}

// Shapes of all arguments. Tensors are [tokens, heads, WIDTH]; the strides are those of tokens, in floats.
typedef struct {
    const int64_t *starts; // segments + 1
    int64_t segments, heads, kv_heads, causal;
    int64_t q_row, k_row, v_row;
    float scale;
} shape;

// Bytes of scratch for segments of at most so many tokens.
int64_t scratch_bytes(int64_t longest) { return (2 * WIDTH + 2 * BLOCK) * padded(longest) * (int64_t)sizeof(float); }

// Scores of the queries first ..< first + rows, each row cut after what it may see; returns how many keys that is.
static int64_t scores(const shape *s, int64_t first, int64_t rows, int64_t n, const float *q, const float *keys,
                      float *to) {
    const int64_t wide = padded(n), seen = s->causal ? first + rows : n;
    product(rows, padded(seen), WIDTH, q + first * s->q_row, s->q_row, 1, keys, wide, to, wide, 0);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = s->causal ? first + i + 1 : n; j < padded(seen); j++)
            to[i * wide + j] = -INFINITY;
    return seen;
}

// out: [tokens, heads * WIDTH]; sums: [heads, tokens], logarithms of the softmax's divisors.
void attention_forward(const shape *s, const float *q, const float *k, const float *v, float *out, float *sums,
                       float *scratch) {
    const int64_t out_row = s->heads * WIDTH, tokens = s->starts[s->segments];
    for (int64_t segment = 0; segment < s->segments; segment++) {
        const int64_t start = s->starts[segment], n = s->starts[segment + 1] - start, wide = padded(n);
        float *const keys = scratch, *const p = scratch + WIDTH * wide;
        for (int64_t head = 0; head < s->heads; head++) {
            const int64_t kv_head = head * s->kv_heads / s->heads;
            const float *const mine = q + start * s->q_row + head * WIDTH;
            if (head * s->kv_heads % s->heads == 0)
                transpose(n, k + start * s->k_row + kv_head * WIDTH, s->k_row, keys);
            for (int64_t first = 0; first < n; first += BLOCK) {
                const int64_t rows = n - first < BLOCK ? n - first : BLOCK;
                const int64_t seen = scores(s, first, rows, n, mine, keys, p);
                for (int64_t i = 0; i < rows; i++) {
                    float *const row = p + i * wide;
                    vec most = load(row), total = {0};
                    for (int64_t j = LANES; j < padded(seen); j += LANES) {
                        const vec x = load(row + j);
                        most = larger(x, most);
                    }
                    float top = most[0];
                    for (int l = 1; l < LANES; l++)
                        top = most[l] > top ? most[l] : top;
                    for (int64_t j = 0; j < padded(seen); j += LANES) {
                        const vec e = exponential((load(row + j) - top) * s->scale);
                        total += e;
                        store(row + j, e);
                    }
                    const float divisor = sum(total);
                    sums[head * tokens + start + first + i] = top * s->scale + logf(divisor);
                    for (int64_t j = 0; j < padded(seen); j += LANES)
                        store(row + j, load(row + j) / divisor);
                }
                product(rows, WIDTH, seen, p, wide, 1, v + start * s->v_row + kv_head * WIDTH, s->v_row,
                        out + (start + first) * out_row + head * WIDTH, out_row, 0);
            }
        }
    }
}

// g: gradient of out. The gradients of q [tokens, heads, WIDTH], k and v [tokens, kv_heads, WIDTH] lie dense; those of k
// and v come zeroed.
void attention_backward(const shape *s, const float *q, const float *k, const float *v, const float *out,
                        const float *sums, const float *g, float *dq, float *dk, float *dv, float *scratch) {
    const int64_t row = s->heads * WIDTH, kv_row = s->kv_heads * WIDTH, tokens = s->starts[s->segments];
    for (int64_t segment = 0; segment < s->segments; segment++) {
        const int64_t start = s->starts[segment], n = s->starts[segment + 1] - start, wide = padded(n);
        float *const keys = scratch, *const values = keys + WIDTH * wide;
        float *const p = values + WIDTH * wide, *const dp = p + BLOCK * wide;
        for (int64_t head = 0; head < s->heads; head++) {
            const int64_t kv_head = head * s->kv_heads / s->heads, at = start * row + head * WIDTH;
            const float *const key = k + start * s->k_row + kv_head * WIDTH;
            const float *const mine = q + start * s->q_row + head * WIDTH;
            if (head * s->kv_heads % s->heads == 0) {
                transpose(n, key, s->k_row, keys);
                transpose(n, v + start * s->v_row + kv_head * WIDTH, s->v_row, values);
            }
            float *const dkey = dk + start * kv_row + kv_head * WIDTH, *const dvalue = dv + (dkey - dk);
            for (int64_t first = 0; first < n; first += BLOCK) {
                const int64_t rows = n - first < BLOCK ? n - first : BLOCK;
                const int64_t seen = scores(s, first, rows, n, mine, keys, p);
                const float *const told = g + at + first * row, *const said = out + at + first * row;
                product(rows, padded(seen), WIDTH, told, row, 1, values, wide, dp, wide, 0);
                for (int64_t i = 0; i < rows; i++) {
                    const float common = sum(load(told + i * row) * load(said + i * row)
                                             + load(told + i * row + LANES) * load(said + i * row + LANES));
                    const float divisor = sums[head * tokens + start + first + i];
                    for (int64_t j = 0; j < padded(seen); j += LANES) {
                        const vec e = exponential(load(p + i * wide + j) * s->scale - divisor);
                        store(p + i * wide + j, e);
                        store(dp + i * wide + j, e * (load(dp + i * wide + j) - common) * s->scale);
                    }
                }
                product(rows, WIDTH, seen, dp, wide, 1, key, s->k_row, dq + at + first * row, row, 0);
                product(seen, WIDTH, rows, dp, 1, wide, mine + first * s->q_row, s->q_row, dkey, kv_row, 1);
                product(seen, WIDTH, rows, p, 1, wide, told, row, dvalue, kv_row, 1);
            }
        }
    }
}
