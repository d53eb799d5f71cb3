#!/usr/bin/env bash
# Runs the kernel tables of instruction sets that this machine lacks, and compares their quantised products with the
# generic table's.
#
#   apt install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
#   Tools/kernels/emulated.sh
#
# The ARM tables run under QEMU. The dot product of bytes on AVX2 is one that no emulator at hand has: there the one
# instruction is replaced by what it is defined to do, and all around it is the real code.
set -euo pipefail
cd "$(dirname "$0")/../../Sources/CKernels"
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
sources=(../../Tools/kernels/compare_tables.c dispatch/dispatch.c threads/*.c generic/*.c common/*.c x86/*.c arm/*.c)
flags=(-std=c11 -O2 -I. -Iinclude -D_DEFAULT_SOURCE)

echo "aarch64, under QEMU"
clang --target=aarch64-linux-gnu --gcc-toolchain=/usr -isystem /usr/aarch64-linux-gnu/include -fuse-ld=bfd \
    -B/usr/lib/gcc-cross/aarch64-linux-gnu/12 "${flags[@]}" "${sources[@]}" -static -lm -lpthread -o "$built/aarch64"
qemu-aarch64 -cpu max "$built/aarch64"

if [[ $(uname -m) == x86_64 ]]; then
    echo "x86, with the dot product of bytes written out"
    mkdir "$built/x86" "$built/common"
    cp x86/*.c "$built/x86"
    cp common/*.h common/*.inc "$built/common"
    ln -s "$PWD/include" "$built/include"
    # Without the instruction's target, or the compiler would put it in by itself.
    sed -i 's/,avxvnni//; s/_mm256_dpbusd_avx_epi32/written_out/' "$built/x86/avxvnni.c"
    sed -i 's/^QV_INLINE vi dot_bytes/static inline __m256i written_out(__m256i sum, __m256i w, __m256i x) {\
    const __m256i low = _mm256_set1_epi16(255);\
    const __m256i even = _mm256_madd_epi16(_mm256_and_si256(w, low), _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8));\
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(w, 8), _mm256_srai_epi16(x, 8));\
    return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));\
}\
&/' "$built/x86/avxvnni.c"
    # The name of the table that is replaced is one that runs here.
    sed 's/return avx2_runs() \&\& has(seven_one\[EAX\], 4)/(void)seven_one; return avx2_runs()/' dispatch/dispatch.c >"$built/dispatch.c"
    sed -i "s|\"../common/kernels.h\"|\"$built/common/kernels.h\"|" "$built/dispatch.c"
    clang "${flags[@]}" ../../Tools/kernels/compare_tables.c "$built/dispatch.c" threads/*.c generic/*.c common/*.c \
        "$built"/x86/*.c -lm -lpthread -o "$built/compare"
    "$built/compare"
fi
