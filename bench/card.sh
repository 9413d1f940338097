#!/usr/bin/env bash
# A card that takes 300 ms for a signature, 100 certificates a request, and every 50th answer lost: how long the card
# lies idle between its first signature and its last, by the log of the module in front of it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/.." && pwd)
n=15000
cd "$BENCH_WORK"
module=
for m in /usr/lib/softhsm /usr/lib64/pkcs11 /usr/lib64/softhsm /usr/local/lib/softhsm; do
  if [ -z "$module" ] && [ -e "$m/libsofthsm2.so" ]; then module=$m/libsofthsm2.so; fi
done
[ -n "$module" ] || { echo "SoftHSM 2 is not installed (apt-get install softhsm2)" >&2; exit 1; }
cc -shared -fPIC -o shim.so "$root/testdata/pkcs11shim/shim.c" -ldl -lpthread

mkdir -m 700 tokens
printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$PWD/tokens" >softhsm2.conf
(umask 077 && echo 1234 >pin)
export SOFTHSM2_CONF=$PWD/softhsm2.conf
openssl req -x509 -newkey rsa:2048 -nodes -keyout card.key -out card.pem -days 30 -subj '/C=SE/O=Demo/CN=Officer Card' 2>/dev/null
softhsm2-util --init-token --free --label card --so-pin 1234 --pin 1234 >/dev/null
softhsm2-util --import card.key --token card --label card --id 01 --pin 1234 >/dev/null

export CMCTL_PKCS11_MODULE=$PWD/shim.so PKCS11SHIM_MODULE=$module PKCS11SHIM_LOG=$PWD/calls PKCS11SHIM_FAULTS=slow=300
cmctl-sandbox exec --certs 20000 --officer card.pem --fault revokeCertificate:after:reset:every=50 -- bash -euo pipefail -c '
  cmctl cert search --not-revoked -o id | awk -v n='$n' "\$1 > 10000 && k++ < n" >ids
  cmctl --cert card.pem --key "pkcs11:token=card;id=%01" --pin-file pin \
    cert revoke --from ids --reason superseded --yes --expect '$n' --quiet -o id >out
  [ "$(sort -n out | uniq | wc -l)" = '$n' ] || { echo "not all were revoked" >&2; exit 1; }
  cp "$CMSANDBOX_DIR/requests.jsonl" requests'
lost=$(jq -s 'map(select(.operationId == "revokeCertificate" and .http == 0 and .signatures == 1)) | length' requests)
[ "$lost" -ge 2 ] || { echo "$lost answers were lost: there is nothing to see" >&2; exit 1; }

# In milliseconds. ns is when a call ended, us how long it took; calls that overlap are busy once.
read -r whole idle < <(jq -sr 'map(select(.call == "C_Sign") | {from: (.ns / 1e6 - .us / 1000), to: (.ns / 1e6)}) | sort_by(.from)
  | reduce .[1:][] as $c ({first: .[0].from, to: .[0].to, idle: 0}; .idle += ([0, $c.from - .to] | max) | .to = ([.to, $c.to] | max))
  | "\(.to - .first) \(.idle)"' calls)
row "card of 300 ms, idle, $lost lost" "$idle" ms "$whole" ms 0.05
