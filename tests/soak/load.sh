#!/usr/bin/env bash
# The long form of the soak test under a steady load: streams at 80 % of what the server was just measured to do, clients
# that connect, leave and are killed, and trainings, additions and deletions of the same voices and of others. Every answer
# is looked at. Needs a build of the preset. Prints latencies, late blocks, and for each third of the time what memory,
# open files and threads the server had at most; ends with an error where one was wrong or the server grew.
#
# Usage: tests/soak/load.sh [--minutes N]
#
#   --minutes N   how long, after a time to settle of a twelfth of that (10)
#
#   KITH_PRESET   release (default), debug or asan
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
minutes=10

while (($# > 0)); do
  case "$1" in
    --minutes) minutes="${2:?--minutes takes a number}" && shift 2 ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "tests/soak/load.sh" && exit 0 ;;
    *) echo "load.sh: there is no option $1; see --help" >&2 && exit 2 ;;
  esac
done

export KITH_SOAK_SECONDS=$((minutes * 60)) KITH_SOAK_DIMENSION=768 KITH_SOAK_ROWS=8000 KITH_SOAK_LISTS=64
export KITH_SOAK_ADDITIONS=200 KITH_SOAK_PAUSE_MS=1000 KITH_SOAK_CAPACITY_BLOCKS=1000
exec "build/${KITH_PRESET:-release}/bin/soak_test" --gtest_filter="SteadyLoadTest.*"
