#!/usr/bin/env bash
# A million certificates revoked in one job: peak memory, and whether the last fifth goes as fast as the first.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

n=${1:-1000000}
cd "$BENCH_WORK"
cmctl cert search --not-revoked -o id | awk -v n="$n" '$1 > 10000 && k++ < n' >ids
[ "$(wc -l <ids)" = "$n" ] || { echo "wanted $n certificates, found $(wc -l <ids)" >&2; exit 1; }
timeout 1200 /usr/bin/time -v -o usage cmctl cert revoke --from ids --reason superseded --yes --expect "$n" --job million --quiet -o id >out
[ "$(sort -u out | wc -l)" = "$n" ] || { echo "not all were revoked" >&2; exit 1; }
kib=$(awk -F ': ' '/Maximum resident/ { print $2 }' usage)
row "revoking $n, peak memory" "$(awk -v k="$kib" 'BEGIN { print k / 1024 }')" MiB 100 MiB 1

# When how many were answered, by the journal: how long the first fifth of the items took, and the last.
jq -r 'select(.t == "asked" or .t == "answered") | [.t, .at, ([.done // "" | split(",")[] | split("-") | map(tonumber) | (.[-1] - .[0] + 1)] | add // 0)] | @tsv' \
  "$CMCTL_STATE_DIR/jobs/million/journal.jsonl" |
  awk -F '\t' -v n="$n" '
    function seconds(t, p) { split(t, p, /[-T:Z]/); return p[3] * 86400 + p[4] * 3600 + p[5] * 60 + p[6] }
    !begun { begun = seconds($2) }
    { done += $3; now = seconds($2) }
    !first && done >= n / 5 { first = now - begun }
    !at && done >= n * 4 / 5 { at = now; from = done }
    END { print first * 1000, (now - at) * (n / 5) / (n - from) * 1000 }' >fifths
read -r first last <fifths
row "revoking $n, last fifth to first" "$last" ms "$first" ms 1.111
