#!/usr/bin/env bash
# Checks the form of the C++ source: clang-format, then clang-tidy. A tool that is not installed is left out, and said.
#
# Usage: scripts/lint.sh [--format-only] [FILE...]
#
#   FILE            C++ sources to check; without any, all of the project
#   --format-only   leave clang-tidy out, which takes minutes and needs a build: cmake --preset release && cmake --build
#                   --preset release
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly BUILD=build/release

say() { echo "lint: $*" >&2; }

check_format() {
  if ! command -v clang-format >/dev/null; then
    say "clang-format is not installed (apt-get install clang-format): the layout is not checked"
    return
  fi
  clang-format --dry-run -Werror "$@"
  say "$# files are laid out as .clang-format says"
}

check_tidy() {
  if ! command -v clang-tidy >/dev/null; then
    say "clang-tidy is not installed (apt-get install clang-tidy): it is left out"
    return
  fi
  if [[ ! -f "$BUILD/compile_commands.json" ]]; then
    say "$BUILD/compile_commands.json is missing: run cmake --preset release and cmake --build --preset release first"
    exit 1
  fi
  local sources=() file
  for file in "$@"; do
    [[ "$file" != *.cc ]] || sources+=("$file") # a header is checked with the sources that include it
  done
  ((${#sources[@]} > 0)) || return 0
  printf '%s\0' "${sources[@]}" |
    xargs -0 -n 4 -P "$(nproc)" clang-tidy --quiet --warnings-as-errors='*' -p "$BUILD" 2> >(grep -v ' warnings generated' >&2)
  say "clang-tidy has nothing to say of ${#sources[@]} sources"
}

main() {
  local tidy=true files=()
  if [[ "${1:-}" == --format-only ]]; then
    tidy=false
    shift
  fi
  files=("$@")
  if (($# == 0)); then
    mapfile -d '' -t files < <(find server client common tests bench \( -name '*.cc' -o -name '*.h' \) -print0 | sort -z)
  fi
  check_format "${files[@]}"
  [[ "$tidy" == false ]] || check_tidy "${files[@]}"
}

main "$@"
