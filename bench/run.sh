#!/usr/bin/env bash
# Measures the speed that cmctl promises, each against its yardstick in the same run, and prints one table of ratios.
# Ends with 1 when a bound is missed. Start it by `make bench`: it wants bin/ in PATH, with the raw loops built.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
BENCH_WORK=$(mktemp -d)
export BENCH_WORK
trap 'rm -rf "$BENCH_WORK"' EXIT

echo "start-up ..." >&2
"$here/start.sh"
echo "a key on a token ..." >&2
"$here/token.sh"
echo "one revocation ..." >&2
cmctl-sandbox exec --certs 2000 -- "$here/revoke.sh"
echo "mass revocation against raw loops ..." >&2
"$here/served.sh" --certs 2150000 -- "$here/bulk.sh"
echo "mass revocation with a slow card ..." >&2
"$here/card.sh"
echo "a search over 20,000 certificates ..." >&2
cmctl-sandbox exec --certs 20000 -- "$here/search.sh"
echo "a complete listing against loops ..." >&2
cmctl-sandbox exec --certs 100000 -- "$here/search_complete.sh"
echo "a search over 1,000,000 certificates ..." >&2
cmctl-sandbox exec --certs 1000000 -- "$here/search_million.sh"
echo "1,000,000 revocations ..." >&2
"$here/served.sh" --certs 1200000 -- "$here/million.sh"

awk -F '\t' '
  BEGIN { printf "%-34s %14s %14s %7s %7s\n", "WHAT", "CMCTL", "YARDSTICK", "RATIO", "BOUND" }
  {
    ratio = $2 / $4; ok = ratio <= $6
    printf "%-34s %10.1f %-3s %10.1f %-3s %7.3g %7.3g  %s\n", $1, $2, $3, $4, $5, ratio, $6, ok ? "ok" : "MISSED"
    if (!ok) missed++
  }
  END { if (missed) { printf "%d missed\n", missed; exit 1 } }' "$BENCH_WORK/rows"
