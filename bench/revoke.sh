#!/usr/bin/env bash
# One `cert revoke` as a whole process, with a PEM key, against what it takes by hand: curl, openssl cms, curl. Turn by
# turn, a fresh certificate each time. What the hand-made way needs around its three processes (Base64, cutting a field
# out of JSON) is not counted.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

runs=40
cd "$BENCH_WORK"
dir=$CMSANDBOX_DIR
base=$(<"$dir/url")
# Seeded certificates begin at 10001; below are the gateway's own and the officers'.
mapfile -t ids < <(cmctl cert search --not-revoked --limit $((2 * runs + 20)) -o id | awk '$1 > 10000' | head -n $((2 * runs)))
[ "${#ids[@]}" = $((2 * runs)) ] || { echo "wanted $((2 * runs)) certificates, found ${#ids[@]}" >&2; exit 1; }

post() {
  curl --silent --show-error --fail --cacert "$dir/ca.pem" --cert "$dir/officer.pem" --key "$dir/officer.key" \
    --output answer --data reason=4 "$@" "$base/certificates/revoke"
}

by_hand() { # id -> took
  local start signature
  start=${EPOCHREALTIME/./}
  post --data "certid=$1"
  took=$((${EPOCHREALTIME/./} - start))

  [[ $(<answer) =~ \"dataToSign\"\ *:\ *\"([^\"]+)\" ]] || { echo "no dataToSign in $(<answer)" >&2; exit 1; }
  printf %s "${BASH_REMATCH[1]//\\/}" | openssl base64 -d -A >to-sign

  start=${EPOCHREALTIME/./}
  openssl cms -sign -binary -nodetach -outform DER -md sha256 -signer "$dir/officer.pem" -inkey "$dir/officer.key" -in to-sign -out signature
  took=$((took + ${EPOCHREALTIME/./} - start))
  signature=$(openssl base64 -A -in signature)

  start=${EPOCHREALTIME/./}
  post --data "certid=$1" --data-urlencode "signature=$signature"
  took=$((took + ${EPOCHREALTIME/./} - start))
  [[ $(<answer) =~ \"error\"\ *:\ *0 ]] || { echo "$1: $(<answer)" >&2; exit 1; }
}

for ((i = 0; i < runs; i++)); do
  by_hand "${ids[i]}"
  echo "$took" >>theirs
  start=${EPOCHREALTIME/./}
  cmctl cert revoke "${ids[runs + i]}" --reason superseded --yes --quiet -o id >answer
  echo $((${EPOCHREALTIME/./} - start)) >>ours
  [ "$(<answer)" = "${ids[runs + i]}" ] || { echo "${ids[runs + i]} was not revoked" >&2; exit 1; }
done

# Faster means faster: a ratio of 1 would be no gain.
row "cert revoke, PEM key" "$(median ours)" ms "$(median theirs)" ms 0.99
