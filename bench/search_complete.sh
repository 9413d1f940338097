#!/usr/bin/env bash
# A complete listing against what an officer would write: a loop of curl and jq, 500 a page; and against a bare parallel
# loop in Go that proves nothing. In turns, so that whatever else the machine does meets all: the median of five, and of
# three for the slow one.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$BENCH_WORK"
wanted=$(cmctl cert search --count)
url=$(<"$CMSANDBOX_DIR/url")

curl_loop() {
  local offset=0 hits=1 n
  while [ "$offset" -lt "$hits" ]; do
    curl -sS --cacert "$CMSANDBOX_DIR/ca.pem" --cert "$CMSANDBOX_DIR/officer.pem" --key "$CMSANDBOX_DIR/officer.key" \
      "$url/certificates?searchLimit=500&searchOffset=$offset" >page
    hits=$(jq .searchHits page)
    jq -c '.certificates[]' page >lines
    n=$(wc -l <lines)
    [ "$n" -gt 0 ] || break
    cat lines
    offset=$((offset + n))
  done
}

# took NAME COMMAND...: the time into NAME.times; every match is in the listing, once
took() {
  local name=$1 start=${EPOCHREALTIME/./}
  shift
  "$@" >listing
  echo $((${EPOCHREALTIME/./} - start)) >>"$name.times"
  local got
  got=$(jq -r .certid listing | sort -u | wc -l)
  [ "$got" = "$wanted" ] && [ "$(wc -l <listing)" = "$wanted" ] || { echo "$name: $got of $wanted" >&2; exit 1; }
}
rm -f ./*.times
for turn in 1 2 3 4 5; do
  took cmctl cmctl cert search -o jsonl
  took raw rawloop
  [ "$turn" -gt 3 ] || took curl curl_loop
done
ours=$(median cmctl.times)
row "listing of $wanted, curl and jq" "$ours" ms "$(median curl.times)" ms 0.2
row "listing of $wanted, bare Go loop" "$ours" ms "$(median raw.times)" ms 1.43
