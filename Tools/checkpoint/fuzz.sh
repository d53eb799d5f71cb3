#!/bin/sh
# Coverage-guided fuzzing of the readers of model files, under the address sanitizer (Linux: needs a Swift toolchain
# with libFuzzer).
#
#     Tools/checkpoint/fuzz.sh [SECONDS [DIRECTORY]]
#
# DIRECTORY keeps the build, the corpus and inputs that crashed (crash-*); default .build/fuzz.
# Run an input again with DIRECTORY/fuzzer FILE.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-600}
out=${2:-.build/fuzz}
mkdir -p "$out/corpus"
out=$(cd "$out" && pwd)

# The manifest cannot say -sanitize=fuzzer for one product, so the few files are compiled here. -Ounchecked is not
# used: overflow and bounds checks are half of what finds errors.
flags="-O -g -swift-version 6 -package-name qwenvl -parse-as-library -sanitize=fuzzer,address
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility
    -enable-upcoming-feature InternalImportsByDefault -I $out"
for module in TensorCore Checkpoint; do
    # shellcheck disable=SC2086
    swiftc $flags -whole-module-optimization -module-name $module -emit-module \
        -emit-module-path "$out/$module.swiftmodule" -c -o "$out/$module.o" Sources/$module/*.swift
done
# shellcheck disable=SC2086
swiftc $flags -module-name CheckpointFuzz -o "$out/fuzzer" "$out/TensorCore.o" "$out/Checkpoint.o" \
    Fuzz/Checkpoint/FuzzOne.swift Fuzz/Checkpoint/Seeds.swift Fuzz/LibFuzzer/Entry.swift

swift run -c release checkpoint-fuzz --corpus "$out/corpus"
# Leaks are not looked for: the Swift runtime keeps its own caches.
exec "$out/fuzzer" "$out/corpus" -artifact_prefix="$out/" -dict="$out/corpus.dictionary" -detect_leaks=0 \
    -max_len=4096 -timeout=10 -rss_limit_mb=1024 -max_total_time="$seconds" -print_final_stats=1
