#!/usr/bin/env bash
# Fuzzes: builds the targets with clang's libFuzzer (preset fuzz), and runs them one after the other, each from the kept
# corpus and from what earlier runs found (build/fuzz/corpus). What ends or hangs a target is left in
# build/fuzz/crashes, and the run ends with an error. Exit code 77 where clang or its libFuzzer is missing.
#
# Usage: tests/fuzz/run.sh [--minutes N | --seconds N] [--keep] [TARGET...]
#
#   --minutes N   in all, shared by the targets (60)
#   --seconds N   the same in seconds
#   --keep        afterwards, puts what reaches new code into tests/fuzz/corpus, for a commit; only files of 8 KiB at most
#   TARGET        npy, config, recipe, request, snapshot, catalogue; without any, all of them
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly BUILD=build/fuzz KEPT=tests/fuzz/corpus ALL=(npy config recipe request snapshot catalogue)
seconds=3600 keep=false targets=()

say() { echo "fuzz: $*" >&2; }

while (($# > 0)); do
  case "$1" in
    --minutes) seconds=$((60 * ${2:?--minutes takes a number})) && shift 2 ;;
    --seconds) seconds="${2:?--seconds takes a number}" && shift 2 ;;
    --keep) keep=true && shift ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' tests/fuzz/run.sh && exit 0 ;;
    -*) echo "run.sh: there is no option $1; see --help" >&2 && exit 2 ;;
    *) targets+=("$1") && shift ;;
  esac
done
((${#targets[@]} > 0)) || targets=("${ALL[@]}")

has_libfuzzer() {
  command -v clang++ >/dev/null &&
    echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
    clang++ -fsanitize=fuzzer,address -x c++ - -o /dev/null 2>/dev/null
}

if ! has_libfuzzer; then
  say "left out: needs clang with libFuzzer and OpenMP (apt-get install clang libclang-rt-14-dev libomp-dev)"
  exit 77
fi
cmake --preset fuzz >"$BUILD.log" 2>&1 || { cat "$BUILD.log" >&2 && exit 1; }
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}"

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
mkdir -p "$BUILD/crashes"
failed=()
for target in "${targets[@]}"; do
  say "$target, $((seconds / ${#targets[@]})) s"
  mkdir -p "$BUILD/corpus/$target"
  "$BUILD/bin/fuzz_$target" -max_total_time=$((seconds / ${#targets[@]})) -max_len=8192 -timeout=20 -rss_limit_mb=2048 \
    -print_final_stats=1 -verbosity=0 -artifact_prefix="$BUILD/crashes/$target-" \
    "$BUILD/corpus/$target" "$KEPT/$target" || failed+=("$target")
  [[ "$keep" == false ]] || "$BUILD/bin/fuzz_$target" -merge=1 -max_len=8192 -verbosity=0 "$KEPT/$target" "$BUILD/corpus/$target"
done
if ((${#failed[@]} > 0)); then
  say "failed: ${failed[*]}; the inputs are in $BUILD/crashes, and '$BUILD/bin/fuzz_TARGET FILE' runs one again"
  exit 1
fi
say "nothing found"
