#!/usr/bin/env bash
# Compiles cmctl for the systems that releases are made for, and looks at the program without cgo: it says what it
# lacks. What has no C compiler here is named, and not compiled; components.sh makes that an error with CI=true.
set -euo pipefail

GO=${GO:-go}
out=bin/cross
mkdir -p "$out"

# compile OS ARCH CGO [CC]
compile() {
  if [ "$3" = 1 ] && ! command -v "$4" >/dev/null; then echo "not compiled: $1 $2, for want of $4"; return; fi
  GOOS=$1 GOARCH=$2 CGO_ENABLED=$3 CC=${4:-} "$GO" build -o "$out/$1-$2-cgo$3/" ./cmd/cmctl
  GOOS=$1 GOARCH=$2 CGO_ENABLED=$3 CC=${4:-} "$GO" vet ./pkg/signer/...
  echo "compiled: $1 $2, cgo $3"
}

compile linux arm64 1 aarch64-linux-gnu-gcc
compile windows amd64 1 x86_64-w64-mingw32-gcc
compile windows arm64 0
compile darwin arm64 0
compile "$("$GO" env GOHOSTOS)" "$("$GO" env GOHOSTARCH)" 0

static=$out/$("$GO" env GOHOSTOS)-$("$GO" env GOHOSTARCH)-cgo0/cmctl
expect() { # TEXT CODE COMMAND...
  local text=$1 want=$2 said code=0
  shift 2
  said=$("$@" 2>&1 </dev/null) || code=$?
  if [ "$code" != "$want" ] || ! grep -qF "$text" <<<"$said"; then
    printf 'without cgo, %s ends with %s and says:\n%s\nexpected %s and: %s\n' "$*" "$code" "$said" "$want" "$text" >&2
    exit 1
  fi
}
export CMCTL_CONFIG=/dev/null
expect 'pkcs11 (built without cgo)' 0 "$static" version
expect 'this build of cmctl has no PKCS#11 support' 8 "$static" --server https://localhost:1/api --key 'pkcs11:token=card' cert search
expect 'this build of cmctl has no PKCS#11 support' 8 "$static" key list
