#!/usr/bin/env bash
# Checks what is under docker/ and config/systemd without running it. What a tool is missing for is left out, and said.
#
# Usage: tests/deploy/run.sh WORK_FOLDER BIN_FOLDER
set -euo pipefail

TESTS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
TOP="$(cd "$TESTS/../.." && pwd)"
BIN="$(realpath "$2")"
readonly TESTS TOP WORK=$1 BIN
checks=0 faults=0

say() { echo "deploy: $*" >&2; }

# check NAME COMMAND...
check() {
  local name=$1
  shift
  if "$@"; then
    checks=$((checks + 1))
  else
    say "$name: FAILED"
    faults=$((faults + 1))
  fi
}

# The unit, with a program that is there.
check_unit() {
  sed "s|/usr/local/bin/kithd|$BIN/kithd|" "$TOP/config/systemd/kithd.service" >"$WORK/kithd.service"
  systemd-analyze verify "$WORK/kithd.service" && systemd-analyze security --offline=true --threshold=20 "$WORK/kithd.service" >"$WORK/exposure"
}

# The image's own is refused as it is, because nothing protects it; Kubernetes' has tokens.
check_configurations() {
  rm -f "$WORK/tokens" && "$BIN/kith" token create --file "$WORK/tokens" --experiments '*' >/dev/null 2>&1 || return 1
  sed "s|/run/kith/auth/tokens|$WORK/tokens|" "$TOP/docker/kubernetes/kithd.yaml" >"$WORK/kubernetes.yaml"
  "$BIN/kithd" --check-config --config "$WORK/kubernetes.yaml" >/dev/null || return 1
  ! "$BIN/kithd" --check-config --config "$TOP/docker/image/kithd.yaml" 2>/dev/null || return 1
  KITH_INSECURE=true "$BIN/kithd" --check-config --config "$TOP/docker/image/kithd.yaml" >/dev/null
}

# Whatever names the image's version names the project's.
check_versions() {
  local version other
  version="$(sed -n 's/^project(kith VERSION \([0-9.]*\).*/\1/p' "$TOP/CMakeLists.txt")"
  [[ -n "$version" ]] || return 1
  grep -q "^ARG VERSION=$version\$" "$TOP/docker/Dockerfile" || return 1
  other="$(grep -rnE 'ARG VERSION=|\bkith:[0-9]|newTag:' "$TOP/docker" "$TOP/docs" "$TOP/README.md" |
    grep -vE "(ARG VERSION=|\bkith:|newTag: )${version//./\\.}( |\$)")" || return 0
  say "the project's version is $version, but"$'\n'"$other"
  return 1
}

check_schemas() { (cd "$WORK/schemas" && node "$TESTS/check.mjs" "$TOP"); }

# Brings the packages with the schemas, once for each package.json.
fetch_schemas() {
  mkdir -p "$WORK/schemas"
  if ! cmp -s "$TESTS/package.json" "$WORK/schemas/package.json" || [[ ! -e "$WORK/schemas/complete" ]]; then
    rm -rf "$WORK/schemas" && mkdir -p "$WORK/schemas"
    cp "$TESTS/package.json" "$WORK/schemas/"
    (cd "$WORK/schemas" && npm install --no-package-lock --no-audit --no-fund --ignore-scripts --silent && touch complete)
  fi
}

main() {
  mkdir -p "$WORK"
  check "versions" check_versions
  check "configurations" check_configurations
  if command -v systemd-analyze >/dev/null; then
    check "config/systemd/kithd.service" check_unit
  else
    say "systemd-analyze is not installed: the unit is not checked"
  fi
  if command -v kubectl >/dev/null; then
    check "docker/kubernetes" kubectl kustomize "$TOP/docker/kubernetes" -o "$WORK/kustomized.yaml"
  else
    say "kubectl is not installed: the kustomization is not put together"
  fi
  if command -v node >/dev/null && command -v npm >/dev/null && fetch_schemas; then
    check "schemas" check_schemas
  else
    say "node or npm is not installed, or the packages of package.json cannot be had: nothing is held against schemas"
  fi
  say "$checks checks passed, $faults failed"
  ((faults == 0)) || exit 1
}

main
