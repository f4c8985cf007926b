#!/usr/bin/env bash
# The long form of the soak test with many voices: 1,000 of 2,000 x 256 on a server with memory for 50. Takes two to ten
# minutes and 5 GB below the temporary folder. Needs a build of the preset. Prints what memory it took and how long a
# restart lasts. tests/soak/load.sh is the one under a steady load.
#
# Usage: tests/soak/run.sh [--voices N] [--room N] [--calls N]
#
#   --voices N   voices that there are (1000)
#   --room N     voices that the budget is for (50)
#   --calls N    calls of each of the 16 clients (1500)
#
#   KITH_PRESET  release (default), debug or asan
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export KITH_SOAK_VOICES=1000 KITH_SOAK_ROOM=50 KITH_SOAK_CALLS=1500

while (($# > 0)); do
  case "$1" in
    --voices) KITH_SOAK_VOICES="${2:?--voices takes a number}" && shift 2 ;;
    --room) KITH_SOAK_ROOM="${2:?--room takes a number}" && shift 2 ;;
    --calls) KITH_SOAK_CALLS="${2:?--calls takes a number}" && shift 2 ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "tests/soak/run.sh" && exit 0 ;;
    *) echo "run.sh: there is no option $1; see --help" >&2 && exit 2 ;;
  esac
done

exec "build/${KITH_PRESET:-release}/bin/soak_test" --gtest_filter="ManyVoicesTest.*"
