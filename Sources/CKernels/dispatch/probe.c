// Loops that do one thing as fast as the processor can.
#define _POSIX_C_SOURCE 200112L
#include "qwenvl_probes.h"
#include "qwenvl_kernels.h"
#include "qwenvl_memory.h"

#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// The calling thread's processor time: what other processes take away does not count.
static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

enum {
    // Four times the last-level cache of a common server, and passes enough to drown the first, slower one.
    READ_BYTES = 128 << 20,
    READ_PASSES = 6,
    // Chains of dependent operations: more than two units times the longest latency (6 cycles on Zen 4).
    CHAINS = 14,
    STEPS = 1000000,
};

typedef uint64_t words __attribute__((vector_size(64)));

static uint64_t read_pass(const words *memory) {
    words any[4] = {0};
    for (int64_t i = 0; i < READ_BYTES / (int64_t)sizeof(words); i += 4)
        for (int j = 0; j < 4; j++)
            any[j] |= memory[i + j];
    const words all = any[0] | any[1] | any[2] | any[3];
    return all[0] | all[1] | all[2] | all[3] | all[4] | all[5] | all[6] | all[7];
}

double qv_probe_read(void) {
    void *memory = qv_memory_allocate(READ_BYTES);
    if (memory == NULL)
        return 0;
    memset(memory, 1, READ_BYTES);
    uint64_t any = 0;
    const double start = now();
    for (int pass = 0; pass < READ_PASSES; pass++) {
        any |= read_pass(memory);
        __asm__ volatile("" : "+r"(any) : : "memory");
    }
    const double seconds = now() - start;
    qv_memory_release(memory);
    return (double)READ_BYTES * READ_PASSES / seconds * 1e-9;
}

// The empty assembly keeps each chain in a register of its own and the loop from being folded.
#define CHAIN_LOOP(vector, lanes, step)                                                                                \
    vector chains[CHAINS];                                                                                             \
    for (int i = 0; i < CHAINS; i++)                                                                                   \
        chains[i] = (vector){0};                                                                                       \
    const double start = now();                                                                                        \
    for (int n = 0; n < STEPS; n++) {                                                                                  \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) {                                          \
            chains[i] = step(chains[i]);                                                                               \
            __asm__ volatile("" : "+" REGISTER(chains[i]));                                                            \
        }                                                                                                              \
    }                                                                                                                  \
    return (double)STEPS * CHAINS * (lanes) / (now() - start) * 1e-9;

#if defined(__x86_64__)
#define REGISTER "v"

__attribute__((target("avx512f"))) static double fma_512(void) {
    const __m512 a = _mm512_set1_ps(0.5f);
#define STEP(x) _mm512_fmadd_ps(x, a, a)
    CHAIN_LOOP(__m512, 2 * 16, STEP)
#undef STEP
}

__attribute__((target("avx2,fma"))) static double fma_256(void) {
    const __m256 a = _mm256_set1_ps(0.5f);
#define STEP(x) _mm256_fmadd_ps(x, a, a)
    CHAIN_LOOP(__m256, 2 * 8, STEP)
#undef STEP
}

// Words, as the 8-bit tiles take them: a product of two and an addition. (4 bits, which stay bytes, may be faster.)
__attribute__((target("avx2"))) static double int8_256(void) {
    const __m256i a = _mm256_set1_epi16(1);
#define STEP(x) _mm256_add_epi32(x, _mm256_madd_epi16(x, a))
    CHAIN_LOOP(__m256i, 2 * 16, STEP)
#undef STEP
}

__attribute__((target("avx2,avxvnni"))) static double int8_256_dot(void) {
    const __m256i a = _mm256_set1_epi32(0x01010101);
#define STEP(x) _mm256_dpbusd_avx_epi32(x, a, a)
    CHAIN_LOOP(__m256i, 2 * 32, STEP)
#undef STEP
}

__attribute__((target("avx512f,avx512bf16"))) static double bf16_512(void) {
    const __m512bh a = (__m512bh)_mm512_set1_epi32(0x3f003f00);
#define STEP(x) _mm512_dpbf16_ps(x, a, a)
    CHAIN_LOOP(__m512, 2 * 32, STEP)
#undef STEP
}

__attribute__((target("avx512f,avx512vnni"))) static double int8_512(void) {
    const __m512i a = _mm512_set1_epi32(0x01010101);
#define STEP(x) _mm512_dpbusd_epi32(x, a, a)
    CHAIN_LOOP(__m512i, 2 * 64, STEP)
#undef STEP
}

double qv_probe_fma(void) {
    return qv_kernels_named("avx512") ? fma_512() : qv_kernels_named("avx2") ? fma_256() : 0;
}
double qv_probe_bf16(void) {
    return qv_kernels_named("avx512bf16") ? bf16_512() : 0;
}
double qv_probe_int8(void) {
    return qv_kernels_named("avx512vnni") ? int8_512()
           : qv_kernels_named("avxvnni")  ? int8_256_dot()
           : qv_kernels_named("avx2")     ? int8_256()
                                          : 0;
}

#elif defined(__aarch64__)
#define REGISTER "w"
typedef float four __attribute__((ext_vector_type(4)));

double qv_probe_fma(void) {
    const four a = 0.5f;
#define STEP(x) __builtin_elementwise_fma(x, a, a)
    CHAIN_LOOP(four, 2 * 4, STEP)
#undef STEP
}
double qv_probe_bf16(void) {
    return 0;
}
double qv_probe_int8(void) {
    return 0;
}

#else
double qv_probe_fma(void) {
    return 0;
}
double qv_probe_bf16(void) {
    return 0;
}
double qv_probe_int8(void) {
    return 0;
}
#endif
