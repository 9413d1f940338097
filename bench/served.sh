#!/usr/bin/env bash
# served.sh FLAGS -- COMMAND...: like cmctl-sandbox exec, with the certificates in a file and not in memory, so that
# searches run beside writes as in the databases behind gateways.
set -euo pipefail

flags=()
while [ "$1" != -- ]; do flags+=("$1"); shift; done
shift
dir=$(mktemp -d)
cmctl-sandbox serve --addr 127.0.0.1:0 --dir "$dir/sandbox" "${flags[@]}" >"$dir/log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null || true; wait $pid || true; rm -rf "$dir"' EXIT
until [ -e "$dir/sandbox/sandbox.env" ] && [ -e "$dir/sandbox/url" ]; do
  kill -0 $pid 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
  sleep 0.2
done
. "$dir/sandbox/sandbox.env"
export CMSANDBOX_DIR=$dir/sandbox CMCTL_STATE_DIR=$dir/state
"$@"
