#!/usr/bin/env bash
# An officer's day: search, issue, download, put on hold, reinstate, revoke. Each command is printed before it runs.
#
#   make demo            or            cmctl-sandbox exec --certs 200 -- docs/demo.sh
#
# The gateway behind it is the sandbox: real X.509, real mutual TLS, every write signed by the officer's key.
set -euo pipefail

[ -n "${CMSANDBOX_DIR:-}" ] || { echo "run me inside the sandbox: cmctl-sandbox exec --certs 200 -- $0" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
[ -t 1 ] || export CMCTL_FORCE_TTY=120 NO_COLOR=1 # the same for a file as on a terminal

say() { printf '\n# %s\n' "$*"; }
run() {
  printf '$ '
  printf '%s ' "$@"
  printf '\n'
  "$@"
}

say "Which gateway, which officer"
run cmctl version
run cmctl context show

say "Look around: what is on hold, and what ends within thirty days"
run cmctl cert search --reason certificateHold
run cmctl cert search --not-revoked --expires-within 30d --limit 5

say "A server asks for a certificate; its key stays where it was made"
run openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout web.key -out web.csr \
  -subj "/C=SE/O=Demo/CN=web.demo.example" -addext "subjectAltName=DNS:web.demo.example"
run cmctl inspect web.csr
run cmctl cert issue web.csr --out web.pem --yes
id=$(cmctl cert search --cn web.demo.example -o id)
run cmctl cert show "$id"

say "The chain, and what OpenSSL thinks of it"
run cmctl cert download "$id" --chain --out chain.pem
run openssl verify -CAfile "$CMSANDBOX_DIR/ca.pem" -untrusted chain.pem web.pem

say "The key may be lost: on hold while somebody looks for it"
run cmctl cert hold "$id" --yes
run cmctl cert show "$id"

say "Found again"
run cmctl cert reinstate "$id" --yes
run cmctl cert show "$id"

say "Replaced by another one: this cannot be undone"
run cmctl cert revoke "$id" --reason superseded --yes
run cmctl cert show "$id"

say "What the gateway itself noted of the writes: operation, TLS, signatures, ids asked for and changed"
grep '"changed":\["' "$CMSANDBOX_DIR/requests.jsonl" | cut -d , -f 2,5,9-
