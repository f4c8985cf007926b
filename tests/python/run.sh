#!/usr/bin/env bash
# Installs client/python into a venv of its own, without the network, and runs its tests there. Exit code 77 (ctest:
# skipped) where Python or a package is missing.
#
# Usage: tests/python/run.sh WORK_FOLDER BIN_FOLDER [PYTEST_ARGUMENT...]
set -euo pipefail

readonly MODULES="sys, venv, setuptools, wheel, pip, grpc, google.protobuf, numpy, faiss, pytest"
readonly CHECK="import ${MODULES}; sys.exit(sys.version_info < (3, 9))"

find_python() {
  local candidate
  for candidate in "${KITH_PYTHON:-}" /usr/bin/python3 python3; do  # Debian's packages belong to /usr/bin/python3
    [[ -n "$candidate" ]] && "$candidate" -W ignore -c "$CHECK" 2>/dev/null && echo "$candidate" && return
  done
  return 1
}

main() {
  local tests top work=$1 bin=$2 python
  shift 2
  tests="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
  top="$(cd "$tests/../.." && pwd)"
  if ! python="$(find_python)"; then
    echo "skipped: needs Python 3.9 or later with ${MODULES#sys, } (scripts/setup.sh, or set KITH_PYTHON)" >&2
    exit 77
  fi
  [[ -x "$work/venv/bin/python" ]] || "$python" -m venv --system-site-packages "$work/venv"
  # Of a copy, because setuptools builds beside its sources.
  rm -rf "$work/source"
  mkdir -p "$work/source/client"
  cp -r "$top/proto" "$work/source/proto"
  cp -r "$top/client/python" "$work/source/client/python"
  "$work/venv/bin/python" -W ignore -m pip install --quiet --disable-pip-version-check --no-index --no-build-isolation \
    --no-deps --force-reinstall "$work/source/client/python"
  export KITH_BIN="$bin"
  unset KITH_SERVER KITH_TLS_CA KITH_TLS_CERT KITH_TLS_KEY KITH_TOKEN_FILE
  exec "$work/venv/bin/python" -m pytest -q -p no:cacheprovider "$tests" "$@"
}

main "$@"
