// What the processor can do at most, measured by the calling thread in a few tens of milliseconds of its
// processor time: limits that benchmarks state their results against.
#ifndef QWENVL_PROBES_H
#define QWENVL_PROBES_H

#ifdef __cplusplus
extern "C" {
#endif

/// Reading memory that no cache holds, 10^9 bytes a second. 0 when memory for it cannot be had.
double qv_probe_read(void);
/// Fused multiply-adds in registers, 10^9 float32 operations a second (two per multiply-add).
double qv_probe_fma(void);
/// bfloat16 dot products in registers, 10^9 operations a second; 0 where there is no such instruction.
double qv_probe_bf16(void);
/// Products of 8-bit weights in registers, 10^9 operations a second: dot products of bytes, or on AVX2 of words, which
/// bytes are widened to. 0 where floating-point serves.
double qv_probe_int8(void);

#ifdef __cplusplus
}
#endif
#endif
