#!/usr/bin/env bash
# Installs the build to a folder and uses it from there as another user (as root; else as whoever runs this), for whom the
# cache that faiss was compiled in may not be readable: nothing may point there.
#
# Usage: tests/deploy/install.sh BUILD_FOLDER
set -euo pipefail

readonly BUILD=$1 OTHER=65534
to="$(mktemp -d "${TMPDIR:-/tmp}/kith-install.XXXXXX")"
readonly to
server=""

say() { echo "install: $*" >&2; }
fail() {
  say "$*"
  exit 1
}
cleanup() {
  [[ -z "$server" ]] || kill "$server" 2>/dev/null || true
  rm -rf "$to"
}
trap cleanup EXIT

as_other=()
if ((EUID == 0)); then
  as_other=(setpriv --reuid "$OTHER" --regid "$OTHER" --clear-groups)
else
  say "not root: used as the user that installed it"
fi

check_libraries() {
  local program path libraries
  for program in kithd kith; do
    "${as_other[@]}" "$to/bin/$program" --version || fail "$program does not start"
    libraries="$("${as_other[@]}" ldd "$to/bin/$program")"
    [[ "$libraries" != *"not found"* ]] || fail "$program: $libraries"
    while read -r path; do
      [[ -z "$path" || "$path" == "\$ORIGIN/../lib/kith" || "$path" == /usr/lib/* ]] || fail "$program looks for libraries in $path"
    done < <(readelf -d "$to/bin/$program" | sed -n 's/.*R.*PATH).*\[\(.*\)\]/\1/p' | tr : '\n')
  done
}

# As the unit starts it, but for the port and the folder of data.
check_serving() {
  local address=""
  : >"$to/out"
  "${as_other[@]}" "$to/bin/kithd" --config "$to/share/kith/kithd.yaml" --listen 127.0.0.1:0 --data-dir "$to/data" \
    >"$to/out" 2>"$to/log" &
  server=$!
  until address="$(sed -n 's/^listening on //p' "$to/out")" && [[ -n "$address" ]]; do
    kill -0 "$server" 2>/dev/null || fail "kithd does not serve: $(cat "$to/log")"
    sleep 0.1
  done
  "${as_other[@]}" "$to/bin/kith" --server "$address" health || fail "kithd at $address is not healthy"
  kill "$server"
  wait "$server" || fail "kithd did not end in order"
  server=""
}

chmod 0755 "$to"
mkdir -m 0777 "$to/data"
cmake --install "$BUILD" --prefix "$to" >/dev/null
check_libraries
check_serving
grep -q "^ExecStart=$to/bin/kithd " "$to/lib/systemd/system/kithd.service" || fail "the unit starts another kithd"
