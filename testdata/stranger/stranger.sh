#!/usr/bin/env bash
# A stranger's way in: curl and openssl alone, by what the API's description says, against the gateway whose folder is
# in CMSANDBOX_DIR. It issues from every form of PKCS#10 that clients send, then holds, reinstates and revokes, each
# write refused unsigned first and carried out signed. It knows nothing of cmctl.
#
#   cmctl-sandbox exec -- testdata/stranger/stranger.sh
set -euo pipefail

dir=$CMSANDBOX_DIR
base=$(<"$dir/url")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "stranger: $*" >&2; exit 1; }

# ask METHOD-INDEPENDENT-CURL-ARGS...: sends, leaves the answer in body, header and status
ask() {
  curl --silent --show-error --cacert "$dir/ca.pem" --cert "$dir/officer.pem" --key "$dir/officer.key" \
    --dump-header header --output body --write-out '%{http_code}' "$@" >status || fail "curl failed for: $*"
}

error() { sed -n 's/.*"error" *: *\(-\{0,1\}[0-9]*\).*/\1/p' body | head -n 1; }
field() { sed -n 's/.*"'"$1"'" *: *"\{0,1\}\([^",}]*\).*/\1/p' body | sed 's#\\/#/#g' | head -n 1; }

# sign: the signature for the dataToSign in body, on one line
sign() {
  field dataToSign | openssl base64 -d -A >to-sign
  [ -s to-sign ] || fail "no dataToSign in: $(cat body)"
  openssl cms -sign -binary -nodetach -outform DER -md sha256 -signer "$dir/officer.pem" -inkey "$dir/officer.key" \
    -in to-sign -out signature.der
  openssl base64 -A -in signature.der
}

# write NAME FLAG CURL-ARGS...: sends unsigned, signs what comes back, sends the same again with the signature. FLAG is
# how curl adds a field: --form-string for multipart, --data-urlencode for a form.
write() {
  local name=$1 flag=$2
  shift 2
  ask "$@"
  [ "$(<status)" = 200 ] && [ "$(error)" = -19 ] || fail "$name: wanted HTTP 200 and -19, got $(<status): $(cat body)"
  local signature
  signature=$(sign)
  ask "$@" "$flag" "signature=$signature"
  [ "$(<status)" = 200 ] || fail "$name: HTTP $(<status): $(cat body)"
}

openssl ecparam -name prime256v1 -genkey -noout -out key.pem
request() { openssl req -new -key key.pem -subj "/C=SE/O=Stranger/CN=$1" -addext "subjectAltName=DNS:$1.example.com" "${@:2}"; }

# issue NAME FLAG CURL-ARGS...: orders a certificate, checks it, prints its serial
issue() {
  local name=$1 flag=$2
  shift 2
  write "$name" "$flag" -H 'Accept: application/pem-certificate-chain;depth=1' "$@" "$base/certificates/pkcs10"
  openssl x509 -in body -out "$name.pem" 2>/dev/null || fail "$name: no certificate in: $(cat body)"
  openssl x509 -in "$name.pem" -noout -subject | grep -q "CN = $name" || fail "$name: another subject"
  openssl x509 -in "$name.pem" -noout -ext subjectAltName | grep -q "DNS:$name.example.com" || fail "$name: lost its SAN"
  [ "$(openssl x509 -in "$name.pem" -noout -pubkey)" = "$(openssl pkey -in key.pem -pubout)" ] || fail "$name: another key"
  echo "issued $name"
}

for form in base64 lines pem; do
  request "multipart-$form" -outform DER -out request.der
  request "urlencoded-$form" -outform DER -out other.der
  case $form in
    base64) openssl base64 -A -in request.der -out request; openssl base64 -A -in other.der -out other ;;
    lines) openssl base64 -in request.der -out request; openssl base64 -in other.der -out other ;;
    pem) openssl req -inform DER -in request.der -out request; openssl req -inform DER -in other.der -out other ;;
  esac
  issue "multipart-$form" --form-string -F 'pkcs10=<request;type=application/pkcs10'
  issue "urlencoded-$form" --data-urlencode --data-urlencode pkcs10@other
done

# The id that the gateway gave the certificate, by the serial that is in it.
serial=$(openssl x509 -in multipart-base64.pem -noout -serial | sed 's/.*=//' | tr 'A-F' 'a-f')
ask --get --data-urlencode "certificateSerialNumber=$serial" "$base/certificates"
[ "$(field searchHits)" = 1 ] || fail "serial $serial: wanted one hit: $(cat body)"
certid=$(field certid)

# state WANTED-STATUS: what the gateway says of the certificate now
state() {
  ask "$base/certificates/$certid/details"
  [ "$(field status | tr 'A-Z' 'a-z')" = "$1" ] || fail "wanted $certid $1: $(cat body)"
}

state active
write hold --data-urlencode --data "certid=$certid" --data reason=6 "$base/certificates/revoke"
[ "$(error)" = 0 ] || fail "hold: $(cat body)"
state revoked
echo "held $certid"
write reinstate --data-urlencode --data "certid=$certid" "$base/certificates/reinstate"
[ "$(error)" = 0 ] || fail "reinstate: $(cat body)"
state active
echo "reinstated $certid"
write revoke --data-urlencode --data "certid=$certid" --data reason=1 "$base/certificates/revoke"
[ "$(error)" = 0 ] || fail "revoke: $(cat body)"
state revoked
echo "revoked $certid"

# Revoked a second time: signed as it should be, and refused for that one id.
ask --data "certid=$certid" --data reason=1 "$base/certificates/revoke"
if [ "$(error)" = -19 ]; then ask --data "certid=$certid" --data reason=1 --data-urlencode "signature=$(sign)" "$base/certificates/revoke"; fi
[ "$(<status)" = 500 ] && [ "$(field errorcode)" = 901 ] || fail "a second revocation: wanted 901, got $(<status): $(cat body)"

# The list of the issuer has it.
crl=$(openssl x509 -in multipart-base64.pem -noout -ext crlDistributionPoints | sed -n 's/.*URI://p' | head -n 1)
[ -n "$crl" ] || fail "no CRL distribution point in the certificate"
case $crl in https:*) ask "$crl" ;; *) curl --silent --show-error --output body "$crl" ;; esac
openssl crl -inform DER -in body -noout -text | grep -qi "Serial Number: $serial" || fail "$serial is not in $crl"
echo "listed in the CRL"
