#!/usr/bin/env bash
# Installs what tests, referees and benchmarks need besides Go, or says what is missing.
#
#   components.sh install test|referees|cross|bench    install what is not there (Debian packages, as root or by sudo)
#   components.sh missing test|referees|cross|bench    name what is still not there, after the run
#
# This is the one list. With CI=true a missing component is an error; elsewhere it is named, and the tests that need
# it skip themselves.
set -euo pipefail

# A line is: group, the file or command that proves it is there, the Debian package that brings it.
components() {
  cat <<'LIST'
test      openssl                          openssl
test      curl                             curl
test      jq                               jq
test      softhsm2-util                    softhsm2
test      pkcs11-tool                      opensc
test      p11-kit                          p11-kit
test      p11tool                          gnutls-bin
test      cc                               gcc
test      /usr/include/dlfcn.h             libc6-dev
referees  javac                            default-jdk-headless
referees  /usr/share/java/bcprov.jar       libbcprov-java
referees  /usr/share/java/bcpkix.jar       libbcpkix-java
referees  certutil                         libnss3-tools
referees  /usr/sbin/pkcsslotd              opencryptoki
cross     aarch64-linux-gnu-gcc            gcc-aarch64-linux-gnu
cross     /usr/aarch64-linux-gnu/include/dlfcn.h libc6-dev-arm64-cross
cross     x86_64-w64-mingw32-gcc           gcc-mingw-w64-x86-64
bench     hyperfine                        hyperfine
bench     /usr/bin/time                    time
bench     curl                             curl
bench     openssl                          openssl
bench     jq                               jq
bench     softhsm2-util                    softhsm2
bench     cc                               gcc
LIST
}

present() { case $1 in /*) [ -e "$1" ] ;; *) command -v "$1" >/dev/null ;; esac; }

absent() { # group -> packages that are still to be installed
  components | while read -r group proof package; do
    if [ "$group" = "$1" ] && ! present "$proof"; then echo "$package"; fi
  done
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

install() {
  local log
  log=$(mktemp)
  trap 'rm -f "$log"' RETURN
  export DEBIAN_FRONTEND=noninteractive
  echo "installing: $*" >&2
  if { as_root apt-get update && as_root apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then return 0; fi
  tail -n 20 "$log" >&2
  return 1
}

verb=${1:-} group=${2:-}
case "$verb:$group" in
  install:test | install:referees | install:cross | install:bench | missing:test | missing:referees | missing:cross | missing:bench) ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

mapfile -t packages < <(absent "$group")
if [ "$verb" = install ] && [ "${#packages[@]}" -gt 0 ]; then
  if ! command -v apt-get >/dev/null || ! install "${packages[@]}"; then
    echo "cannot install: ${packages[*]}" >&2
  fi
  mapfile -t packages < <(absent "$group")
fi
[ "${#packages[@]}" -gt 0 ] || exit 0

if [ "${CI:-}" = true ]; then
  echo "missing for '$group', and with CI=true nothing is skipped: ${packages[*]}" >&2
  exit 1
fi
[ "$verb" = install ] || echo "SKIPPED what needs: ${packages[*]} (apt-get install ${packages[*]})"
