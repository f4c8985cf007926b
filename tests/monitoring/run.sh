#!/usr/bin/env bash
# Holds docker/prometheus and docker/grafana to the server: promtool's checks, and a real Prometheus over a loaded one.
# Exit code 77 (ctest: skipped) where Prometheus or Python is missing.
#
# Usage: tests/monitoring/run.sh BIN_FOLDER [UNITTEST_ARGUMENT...]
set -euo pipefail

export KITH_BIN=$1
shift
PATH="$PATH:${KITH_CACHE_DIR:-$HOME/.cache/kith}/prometheus/usr/bin" # where scripts/setup.sh puts it
for tool in prometheus promtool python3; do
  command -v "$tool" >/dev/null && continue
  echo "skipped: $tool is missing (scripts/setup.sh)" >&2
  exit 77
done
cd "$(dirname "${BASH_SOURCE[0]}")"
unset KITH_SERVER
exec python3 -W error -B -m unittest -v "${@:-monitoring_test}"
