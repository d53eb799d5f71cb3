// Which table runs here.
#include "../common/kernels.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

enum { EAX, EBX, ECX, EDX };

static void cpuid(unsigned leaf, unsigned subleaf, unsigned r[4]) {
    if (!__get_cpuid_count(leaf, subleaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX]))
        memset(r, 0, 4 * sizeof *r);
}

/// The vector state that the operating system saves (XCR0).
static uint64_t saved_state(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool has(unsigned word, unsigned bit) {
    return word >> bit & 1;
}

static bool avx2_runs(void) {
    unsigned one[4], seven[4];
    cpuid(1, 0, one);
    cpuid(7, 0, seven);
    const bool instructions = has(one[ECX], 12) /* FMA */ && has(one[ECX], 27) /* OSXSAVE */ &&
                              has(one[ECX], 28) /* AVX */ && has(one[ECX], 29) /* F16C */ && has(seven[EBX], 5);
    return instructions && (saved_state() & 0x6) == 0x6;
}

static bool avxvnni_runs(void) {
    unsigned seven_one[4];
    cpuid(7, 1, seven_one);
    return avx2_runs() && has(seven_one[EAX], 4);
}

static bool avx512_runs(void) {
    unsigned seven[4];
    cpuid(7, 0, seven);
    const bool instructions = has(seven[EBX], 16) /* F */ && has(seven[EBX], 17) /* DQ */ &&
                              has(seven[EBX], 30) /* BW */ && has(seven[EBX], 31) /* VL */;
    return avx2_runs() && instructions && (saved_state() & 0xe6) == 0xe6;
}

static bool avx512vnni_runs(void) {
    unsigned seven[4];
    cpuid(7, 0, seven);
    return avx512_runs() && has(seven[ECX], 11);
}

static bool avx512bf16_runs(void) {
    unsigned seven_one[4];
    cpuid(7, 1, seven_one);
    return avx512vnni_runs() && has(seven_one[EAX], 5);
}
#endif

#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
static bool dotprod_runs(void) {
    return getauxval(AT_HWCAP) >> 20 & 1; // HWCAP_ASIMDDP
}
static bool i8mm_runs(void) {
    return dotprod_runs() && (getauxval(AT_HWCAP2) >> 13 & 1); // HWCAP2_I8MM
}
#else
#include <sys/sysctl.h>
static bool dotprod_runs(void) {
    return true; // every Apple processor that runs macOS
}
static bool i8mm_runs(void) {
    int has = 0;
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_I8MM", &has, &size, NULL, 0) == 0 && has == 1;
}
#endif
#endif

static bool always(void) {
    return true;
}

/// Slowest first.
static const struct {
    const qv_kernels *kernels;
    bool (*runs)(void);
} tables[] = {
    {&qv_kernels_generic, always},
#if defined(__x86_64__)
    {&qv_kernels_avx2, avx2_runs},
    {&qv_kernels_avxvnni, avxvnni_runs},
    {&qv_kernels_avx512, avx512_runs},
    {&qv_kernels_avx512vnni, avx512vnni_runs},
    {&qv_kernels_avx512bf16, avx512bf16_runs},
#elif defined(__aarch64__)
    {&qv_kernels_neon, always}, // part of every 64-bit ARM
    {&qv_kernels_neondot, dotprod_runs},
    {&qv_kernels_neoni8mm, i8mm_runs},
#endif
};

enum { TABLES = sizeof tables / sizeof *tables };

const qv_kernels *qv_kernels_named(const char *name) {
    for (int i = 0; i < TABLES; i++)
        if (strcmp(tables[i].kernels->name, name) == 0)
            return tables[i].runs() ? tables[i].kernels : NULL;
    return NULL;
}

const qv_kernels *qv_kernels_best(void) {
    const char *wanted = getenv("QWENVL_ISA");
    if (wanted != NULL && *wanted != 0)
        return qv_kernels_named(wanted);
    for (int i = TABLES - 1; i > 0; i--)
        if (tables[i].runs())
            return tables[i].kernels;
    return &qv_kernels_generic;
}

const char *const *qv_kernels_available(void) {
    // Every call writes the same values, so that concurrent ones do no harm.
    static const char *names[TABLES + 1];
    int count = 0;
    for (int i = 0; i < TABLES; i++)
        if (tables[i].runs())
            names[count++] = tables[i].kernels->name;
    return names;
}

const char *qv_kernels_name(const qv_kernels *kernels) {
    return kernels->name;
}
