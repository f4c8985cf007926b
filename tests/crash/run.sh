#!/usr/bin/env bash
# The long form of the crash tests: kills at random moments, kills and failing calls at every passing of every named
# point, full and read-only disks, flipped bytes. Takes most of an hour. Needs a build of the preset; as root it mounts
# small file systems below the temporary folder, else those tests are skipped, and say so.
#
# Usage: tests/crash/run.sh [--rounds N] [--seed S] [GTEST_OPTION...]    for example: --gtest_filter='KillTest.*'
#
#   --rounds N   kills at random moments (200)
#   --seed S     what the random moments come from; a failure prints the seed and the round
#
#   KITH_PRESET       release (default), debug or asan
#   KITH_CRASH_KEEP   1: the data folder of a test that failed stays
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export KITH_CRASH_LONG=1 KITH_CRASH_ROUNDS=200

options=()
while (($# > 0)); do
  case "$1" in
    --rounds) KITH_CRASH_ROUNDS="${2:?--rounds takes a number}" && shift 2 ;;
    --seed) export KITH_CRASH_SEED="${2:?--seed takes a number}" && shift 2 ;;
    --gtest_*) options+=("$1") && shift ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "tests/crash/run.sh" && exit 0 ;;
    *) echo "run.sh: there is no option $1; see --help" >&2 && exit 2 ;;
  esac
done

exec "build/${KITH_PRESET:-release}/bin/crash_test" "${options[@]}"
