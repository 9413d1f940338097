#!/usr/bin/env bash
# A million certificates: all of them, each once, in little memory.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$BENCH_WORK"
wanted=$(cmctl cert search --count)
/usr/bin/time -v -o usage cmctl cert search -o id >all
got=$(sort -u all | wc -l)
[ "$got" = "$wanted" ] && [ "$(wc -l <all)" = "$wanted" ] || { echo "the gateway has $wanted certificates, the search found $got" >&2; exit 1; }
kib=$(awk -F ': ' '/Maximum resident/ { print $2 }' usage)
row "memory for a listing of $wanted" "$((kib / 1024)).$((kib % 1024 * 10 / 1024))" MiB 64 MiB 1
