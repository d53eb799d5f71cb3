#!/usr/bin/env bash
# Formats Swift and C in place, or with --check tells what is not formatted and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

swift_sources=(Package.swift Sources Tests Benchmarks Fuzz)
c_sources=()
while IFS= read -r -d '' file; do c_sources+=("$file"); done < <(
    find Sources Tests Fuzz \( -name '*.c' -o -name '*.h' -o -name '*.inc' \) -not -path '*/Fixtures/*' -print0)
clang_format=.cache/clang-format/bin/clang-format

case "${1:-}" in
"")
    swift format --in-place --parallel --recursive "${swift_sources[@]}"
    $clang_format -i "${c_sources[@]}"
    ;;
--check)
    swift format lint --strict --parallel --recursive "${swift_sources[@]}"
    $clang_format --dry-run -Werror "${c_sources[@]}"
    echo "formatting: ${#c_sources[@]} C files and all Swift files are as they should be"
    ;;
*)
    echo "error: expected nothing or --check, found $1" >&2
    exit 1
    ;;
esac
