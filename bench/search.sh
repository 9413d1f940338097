#!/usr/bin/env bash
# A search over everything there is: flat in memory, and the first line is out long before the last page is in.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$BENCH_WORK"
wanted=$(cmctl cert search --count)

/usr/bin/time -v -o usage cmctl cert search -o jsonl >all
got=$(wc -l <all)
[ "$got" = "$wanted" ] || { echo "the gateway has $wanted certificates, the search found $got" >&2; exit 1; }
kib=$(awk -F ': ' '/Maximum resident/ { print $2 }' usage)
row "search, peak memory, $wanted found" "$((kib / 1024)).$((kib % 1024 * 10 / 1024))" MiB 64 MiB 1

start=${EPOCHREALTIME/./}
cmctl cert search -o jsonl | {
  read -r _
  first=$((${EPOCHREALTIME/./} - start))
  cat >/dev/null
  echo "$first $((${EPOCHREALTIME/./} - start))" >took
}
read -r first total <took
row "search, first line of the whole" "$((first / 1000))" ms "$((total / 1000))" ms 0.25
