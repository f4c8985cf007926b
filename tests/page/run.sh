#!/usr/bin/env bash
# Runs the tests of the status page. They leave screenshots in WORK_FOLDER/screenshots. Exit code 77 (ctest: skipped)
# where Node.js, npm, Chromium or playwright-core cannot be had.
#
# Usage: tests/page/run.sh WORK_FOLDER BIN_FOLDER [NODE_TEST_OPTION...]
set -euo pipefail

skip() {
  echo "skipped: $* (scripts/setup.sh)" >&2
  exit 77
}

main() {
  local tests work=$1
  export KITH_BIN=$2
  shift 2
  unset KITH_SERVER
  tests="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
  for tool in node npm chromium; do
    command -v "$tool" >/dev/null || skip "$tool is missing"
  done
  node -e 'process.exit(Number(process.versions.node.split(".")[0] < 18))' || skip "Node.js is older than 18"
  mkdir -p "$work"
  cd "$work"
  if ! cmp -s "$tests/package-lock.json" installed-lock.json; then
    cp "$tests/package.json" "$tests/package-lock.json" .
    npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1 || skip "npm ci failed: $(tail -n 3 npm.log)"
    cp package-lock.json installed-lock.json
  fi
  cp "$tests"/*.mjs .
  exec node --test "$@" page_test.mjs
}

main "$@"
