#!/usr/bin/env bash
# Lays out, under the folder given, what the image has on top of Debian's packages. Runs in the build stage.
#
# Usage: docker/image/lay_out.sh FOLDER
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly TO=$1

DESTDIR="$TO" cmake --install build/release --prefix /usr/local --component programs --strip
find "$TO" -name libfaiss.so -exec strip {} +
mkdir -p "$TO/usr/share/kith"
install -m 0755 docker/image/kithd-in-image docker/image/kith-healthy docker/image/kith-first-token "$TO/usr/local/bin/"
install -m 0644 LICENSE "$TO/usr/share/kith/"

# A configuration for each combination of what may be mounted.
readonly AUTH=$'auth:\n  tokens: /run/kith/auth/tokens\n'
readonly TLS=$'tls:\n  cert: /run/kith/tls/tls.crt\n  key: /run/kith/tls/tls.key\n'
readonly CLIENTS=$'  client_ca: /run/kith/tls/ca.crt\n'
base="$(cat docker/image/kithd.yaml)"$'\n'
for auth in "" "$AUTH"; do
  for tls in "" "$TLS" "$TLS$CLIENTS"; do
    name="${auth:+-tokens}${tls:+-tls}"
    [[ "$tls" != *client_ca* ]] || name+="-clients"
    printf '%s' "$base$auth$tls" >"$TO/usr/share/kith/kithd$name.yaml"
  done
done
chmod 0644 "$TO"/usr/share/kith/*.yaml
