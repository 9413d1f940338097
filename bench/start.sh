#!/usr/bin/env bash
# Start-up: version, help of the command with the most flags, and completion, each within 3 times a Go hello world.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

hello=$(dirname "$(command -v cmctl)")/hello
hyperfine -N --warmup 20 --runs 300 --export-json "$BENCH_WORK/start.json" \
  "$hello" 'cmctl version' 'cmctl cert search --help' 'cmctl __complete cert revoke --reason ""' >/dev/null 2>&1

mapfile -t ms < <(jq -r '.results[].median * 1000' "$BENCH_WORK/start.json")
row "cmctl version" "${ms[1]}" ms "${ms[0]}" ms 3
row "cmctl cert search --help" "${ms[2]}" ms "${ms[0]}" ms 3
row "completion of --reason" "${ms[3]}" ms "${ms[0]}" ms 3
