#!/usr/bin/env bash
# Mass revocation, PEM key, 100 certificates a request: cmctl as a whole process (plan, journal, fetch, sign, post,
# read-back), per certificate, against
# - what an officer would write: a loop of curl, jq and openssl, one certificate at a time, over a sample of 60;
# - itself, where one id in each request is of no certificate;
# - rawrevoke, which posts requests that were signed before and thinks of nothing else: the best of 1, 2, 4, 8 and 16
#   workers, by HTTP/2 and by HTTP/1.1. Fresh certificates each time, as many as cmctl has.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

n=83267 # as many as had to be revoked within a day once
sample=60
cd "$BENCH_WORK"
dir=$CMSANDBOX_DIR
base=$(<"$dir/url")
cmctl cert search --not-revoked -o id | awk '$1 > 10000' | sort -n >ids
at=0
take() { # N FILE: certificates that nobody has touched
  tail -n "+$((at + 1))" ids | awk -v n="$1" 'NR <= n' >"$2"
  at=$((at + $1))
  [ "$(wc -l <"$2")" = "$1" ] || { echo "the sandbox has too few certificates" >&2; exit 1; }
}

post() {
  curl --silent --show-error --fail --cacert "$dir/ca.pem" --cert "$dir/officer.pem" --key "$dir/officer.key" --data reason=4 "$@" "$base/certificates/revoke"
}
take "$sample" part
start=${EPOCHREALTIME/./}
while read -r id; do
  post --data "certid=$id" | jq -r .dataToSign | openssl base64 -d -A >to-sign
  openssl cms -sign -binary -nodetach -outform DER -md sha256 -signer "$dir/officer.pem" -inkey "$dir/officer.key" -in to-sign | openssl base64 -A >signature
  [ "$(post --data "certid=$id" --data-urlencode signature@signature | jq .error)" = 0 ] || { echo "$id was not revoked" >&2; exit 1; }
done <part
by_hand=$(((${EPOCHREALTIME/./} - start) / sample))

# In turns and as often, so that what else the machine does meets both.
: >raw
: >cmctl
ours() {
  take "$n" part
  start=${EPOCHREALTIME/./}
  cmctl cert revoke --from part --reason superseded --yes --expect "$n" --quiet -o id >out
  echo $((${EPOCHREALTIME/./} - start)) >>cmctl
  sort -n out | cmp - part || { echo "not all were revoked" >&2; exit 1; }
}
for workers in 1 2 4 8 16; do
  for http in '' -http1; do
    take "$n" part
    rawrevoke -workers "$workers" $http <part >>raw
    ours
  done
done
best() { sort -n "$1" | head -n 1; }
per() { awk -v us="$1" -v n="$n" 'BEGIN { print us / n }'; }

# Three turns of both; ids that do not exist stand evenly among the others. The clean run has as many certificates.
: >clean
: >spoilt
few=20000
for _ in 1 2 3; do
  take "$few" part
  start=${EPOCHREALTIME/./}
  cmctl cert revoke --from part --reason superseded --yes --expect "$few" --quiet -o id >out
  echo $((${EPOCHREALTIME/./} - start)) >>clean
  take "$few" part
  awk '{ print } NR % 99 == 50 { print 900000000 + NR }' part >bad
  start=${EPOCHREALTIME/./}
  cmctl cert revoke --from bad --reason superseded --yes --max 30000 --quiet -o id >out 2>err && { echo "ids of no certificate were revoked" >&2; exit 1; }
  echo $((${EPOCHREALTIME/./} - start)) >>spoilt
  sort -n out | cmp - part || { cat err >&2; echo "not all were revoked" >&2; exit 1; }
done

row "revoking $few, a bad id in each request" "$(median spoilt)" ms "$(median clean)" ms 2
row "revoking $n, a curl loop of $sample" "$(per "$(best cmctl)")" us "$by_hand" us 0.002
row "revoking $n, signed before" "$(per "$(best cmctl)")" us "$(per "$(best raw)")" us 1.25
