#!/usr/bin/env bash
# Sets this machine up, builds everything and runs all the tests. The last lines are ctest's own summary.
#
# Usage: scripts/test.sh [CTEST_OPTION...]        for example: scripts/test.sh -R retrieval
#
#   KITH_PRESET   release (default), debug, asan or tsan
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly PRESET="${KITH_PRESET:-release}"

scripts/setup.sh
cmake --preset "$PRESET"
cmake --build --preset "$PRESET"
exec ctest --preset "$PRESET" "$@"
