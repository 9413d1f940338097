# shellcheck shell=bash
# Shared by the scripts of this folder; not to be run.

# row WHAT OURS UNIT YARDSTICK UNIT BOUND: one line of the table; the ratio of the two may be at most BOUND.
row() { local IFS=$'\t'; echo "$*" >>"$BENCH_WORK/rows"; }

# ${EPOCHREALTIME/./} is the time in microseconds, without starting a process; in other locales the mark is a comma.
export LC_ALL=C

# median FILE: of one number a line, microseconds in, milliseconds out
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) / 1000 }'; }
