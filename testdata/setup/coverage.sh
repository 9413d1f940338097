#!/usr/bin/env bash
# Prints how much of each package under pkg/ a coverage profile covers, least covered first, and the whole.
#
#   coverage.sh PROFILE
#
# The profile holds a block once for each test binary that was linked with it; a block counts as covered when any ran it.
set -euo pipefail

awk -F'[ :]' '
  NR > 1 { block = $1 ":" $2; size[block] = $3; if ($4 > 0) ran[block] = 1 }
  END {
    for (b in size) {
      room = b; sub(/\/[^\/]*$/, "", room); sub(/^github\.com\/cmctl\/cmctl\//, "", room)
      all[room] += size[b]; total += size[b]
      if (b in ran) { hit[room] += size[b]; got += size[b] }
    }
    for (r in all) printf "%6.1f %%  %5d statements  %s\n", 100 * hit[r] / all[r], all[r], r | "sort -n"
    close("sort -n")
    if (total) printf "coverage of pkg: %.1f %% of %d statements\n", 100 * got / total, total
  }' "$1"
