#!/usr/bin/env bash
# Start-up: version, help of the command with the most flags, and completion, each within 3 times a Go hello world.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

hello=$(dirname "$(command -v cmctl)")/hello
commands=("$hello" 'cmctl version' 'cmctl cert search --help' 'cmctl __complete cert revoke --reason ""')

# Five rounds, so that what else the machine does meets all four; the medians of a round, and of those the median.
for _ in 1 2 3 4 5; do
  hyperfine -N --warmup 10 --runs 100 --export-json "$BENCH_WORK/start.json" "${commands[@]}" >/dev/null 2>&1
  jq -r '.results | .[0].median as $hello | [$hello * 1000, (.[] | .median / $hello)] | @tsv' "$BENCH_WORK/start.json"
done >"$BENCH_WORK/start"

middle() { cut -f "$1" "$BENCH_WORK/start" | sort -g | sed -n 3p; }
times() { awk -v a="$1" -v b="$2" 'BEGIN { print a * b }'; }
ms=$(middle 1)
row "cmctl version" "$(times "$(middle 3)" "$ms")" ms "$ms" ms 3
row "cmctl cert search --help" "$(times "$(middle 4)" "$ms")" ms "$ms" ms 3
row "completion of --reason" "$(times "$(middle 5)" "$ms")" ms "$ms" ms 3
