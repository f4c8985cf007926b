#!/bin/sh
# For docker/test.sh, within the image: starts the server as the image does, and uses it.
#
# Usage: inside.sh insecure|tokens|tls
set -eu

fail() {
  echo "inside: $1: $2" >&2
  cat kithd.log >&2
  exit 1
}

if (: >/read-only) 2>/dev/null; then fail "$1" "the root can be written to"; fi
[ "$(id -u):$(id -g)" = 10001:10001 ] || fail "$1" "this is not the image's user"

kithd-in-image >kithd.out 2>kithd.log &
server=$!
tries=0
until kith-healthy >health.out 2>&1; do
  kill -0 "$server" 2>/dev/null || fail "$1" "kithd has ended"
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || fail "$1" "never healthy: $(cat health.out)"
  sleep 0.2
done

kith generate "frames-$1" --rows 2000 --dimension 256 >/dev/null
query="$(find "frames-$1" -name '*.npy' | sort | head -n 1)"
kith train "voice-$1" "frames-$1" >/dev/null
kith --json search "voice-$1" "$query" -k 1 --ids ids.npy --distances distances.npy >search.json
grep -q '"rows"' search.json || fail "$1" "no answer"
if [ "$1" = tokens ]; then
  if env -u KITH_TOKEN_FILE kith list >/dev/null 2>&1; then fail "$1" "it answers without a token"; fi
fi

kill -TERM "$server"
wait "$server" || fail "$1" "it did not end in order"
grep -q '"message":"kithd [0-9.]*: faiss [0-9.]* (bundled)' kithd.log || fail "$1" "not the faiss that is built for the processor"
echo "inside: $1: healthy, trained, searched, drained; $(grep -o 'faiss [0-9.]* (bundled), [A-Z0-9-]*' kithd.log | head -n 1)"
