#!/usr/bin/env bash
# A key on a token: signatures through cmctl's signer, whose module is in another process, against bare miekg/pkcs11
# in one process, with the same SoftHSM key, by one and by eight workers. The rate may be 0.85 of the bare one; and
# what opening adds, from nothing to the first signature. Turn by turn, five rounds, the median of the ratios.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
export CGO_ENABLED=1
${GO:-go} test -c -o "$BENCH_WORK/pkcs11.test" ./pkg/signer/pkcs11
for _ in 1 2 3 4 5; do
  "$BENCH_WORK/pkcs11.test" -test.run '^$' -test.bench '^Benchmark(Sign|Open)$' -test.benchtime 0.5s
done >"$BENCH_WORK/token"

# us NAME: what one takes, in microseconds, round by round; the benchmark's name may end in the number of CPUs.
us() { awk -v name="$1" '$1 ~ "^" name "(-[0-9]+)?$" { print $3 / 1000 }' "$BENCH_WORK/token"; }
middle() { sort -g | sed -n 3p; }

for key in RSA-2048 P-256; do
  for workers in one eight; do
    us "BenchmarkSign/$key/$workers/raw" >"$BENCH_WORK/raw"
    ratio=$(us "BenchmarkSign/$key/$workers/signer" | paste - "$BENCH_WORK/raw" | awk '{ print $1 / $2 }' | middle)
    raw=$(middle <"$BENCH_WORK/raw")
    row "$key signature, $workers" "$(awk -v a="$raw" -v b="$ratio" 'BEGIN { print a * b }')" us "$raw" us 1.176
  done
done
us BenchmarkOpen/raw >"$BENCH_WORK/raw"
adds=$(us BenchmarkOpen/signer | paste - "$BENCH_WORK/raw" | awk '{ print ($1 - $2) / 1000 }' | middle)
row "opening a token adds" "$adds" ms 15 ms 1
