#!/usr/bin/env bash
# Asks the demo model the questions of Examples/examples.json about the pictures beside it.
set -euo pipefail
cd "$(dirname "$0")/.."

program=.build/release/qwenvl
# One field a line, as the file is written: no JSON tool is needed.
awk -F'"' '$2 == "file" { file = $4 } $2 == "question" { print file "\t" $4 }' Examples/examples.json |
    while IFS=$'\t' read -r file question; do
        printf '\n$ qwenvl run --image Examples/%s "%s"\n' "$file" "$question"
        # The line of statistics goes to standard error; here both belong together.
        "$program" run --model Models/demo --image "Examples/$file" "$question" 2>&1 </dev/null
    done
printf '\nAsk your own: %s run --image PICTURE "QUESTION"\n' "$program"
