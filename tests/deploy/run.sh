#!/usr/bin/env bash
# Checks what is under docker/ and config/systemd without running it. Exit code 77 (ctest: skipped) where the tool for a
# part is missing.
#
# Usage: tests/deploy/run.sh versions|configurations|unit|kustomization|schemas WORK_FOLDER BIN_FOLDER
set -euo pipefail

TESTS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
TOP="$(cd "$TESTS/../.." && pwd)"
BIN="$(realpath "$3")"
readonly TESTS TOP WORK=$2 BIN

say() { echo "deploy: $*" >&2; }

# need TOOL...
need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null && continue
    say "skipped: $tool is missing"
    exit 77
  done
}

# The unit, with a program that is there.
check_unit() {
  need systemd-analyze
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
  if [[ -z "$version" ]] || ! grep -q "^ARG VERSION=$version\$" "$TOP/docker/Dockerfile"; then
    say "docker/Dockerfile does not have the project's version, '$version'"
    return 1
  fi
  other="$(grep -rnE 'ARG VERSION=|\bkith:[0-9]|newTag:' "$TOP/docker" "$TOP/docs" "$TOP/README.md" |
    grep -vE "(ARG VERSION=|\bkith:|newTag: )${version//./\\.}( |\$)")" || return 0
  say "the project's version is $version, but"$'\n'"$other"
  return 1
}

check_kustomization() {
  need kubectl
  kubectl kustomize "$TOP/docker/kubernetes" -o "$WORK/kustomized.yaml"
}

# Brings the packages with the schemas, once for each package.json.
fetch_schemas() {
  mkdir -p "$WORK/schemas"
  if ! cmp -s "$TESTS/package.json" "$WORK/schemas/package.json" || [[ ! -e "$WORK/schemas/complete" ]]; then
    rm -rf "$WORK/schemas" && mkdir -p "$WORK/schemas"
    cp "$TESTS/package.json" "$WORK/schemas/"
    (cd "$WORK/schemas" && npm install --no-package-lock --no-audit --no-fund --ignore-scripts --silent && touch complete)
  fi
}

check_schemas() {
  need node npm
  if ! fetch_schemas; then
    say "skipped: the packages of package.json cannot be had"
    exit 77
  fi
  (cd "$WORK/schemas" && node "$TESTS/check.mjs" "$TOP")
}

mkdir -p "$WORK"
"check_$1"
