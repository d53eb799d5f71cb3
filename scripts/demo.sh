#!/usr/bin/env bash
# Asks the demo model about the pictures and clips in Examples/: the questions of Examples/demo.txt, which are those
# that it answers rightly (see Tools/demo_model/examples.py). The line of statistics says what each answer took.
set -euo pipefail
cd "$(dirname "$0")/.."

program=.build/release/qwenvl
asked=0
began=$(date +%s)
while IFS='|' read -r shown system question; do
    # No name in Examples/ holds a space.
    read -ra arguments <<<"$shown"
    if [[ -n $system ]]; then
        arguments+=(--system "$(cat "Examples/$system")")
        shown+=" --system \"\$(cat Examples/$system)\""
    fi
    printf '\n$ qwenvl run %s "%s"\n' "$shown" "$question"
    # The line of statistics goes to standard error; here both belong together.
    "$program" run --model Models/demo "${arguments[@]}" "$question" 2>&1 </dev/null
    asked=$((asked + 1))
done <Examples/demo.txt
printf '\n%s questions in %s seconds. Ask your own: %s run --image PICTURE "QUESTION"\n' \
    "$asked" "$(($(date +%s) - began))" "$program"
printf 'How often it is right on pictures it was never trained on: %s eval --suite demo\n' "$program"
