#!/usr/bin/env bash
# Whether built programs have what cmake/Hardening.cmake asks for. Prints what is missing of which; then it ends with 1.
#
# Usage: tests/house/hardening.sh PROGRAM...
set -euo pipefail

readonly FEW=100 # functions; the C library's start files bring some of their own

# What was read of the program at hand.
header="" segments="" dynamic="" symbols="" entries=0
faults=0

# expect PROGRAM WHAT PATTERN TEXT: the text has the pattern.
expect() {
  grep -qE "$3" <<<"$4" && return
  echo "$1: $2 is missing" >&2
  faults=1
}

check() {
  header="$(readelf -hW "$1")" segments="$(readelf -lW "$1")" dynamic="$(readelf -dW "$1")"
  symbols="$(readelf -W --dyn-syms "$1")"
  expect "$1" "a position-independent executable" 'FLAGS_1.*PIE' "$dynamic"
  expect "$1" "read-only relocations (relro)" 'GNU_RELRO' "$segments"
  expect "$1" "binding at the start (now)" 'FLAGS_1.*NOW' "$dynamic"
  expect "$1" "a stack that is not executable" 'GNU_STACK .* RW +0x' "$segments"
  expect "$1" "the stack protector" '__stack_chk_fail' "$symbols"
  expect "$1" "checked calls of the C library (_FORTIFY_SOURCE)" '__(mem|str|read|v?snprintf|v?fprintf)[a-z]*_chk' "$symbols"
  expect "$1" "checked access of the C++ library (_GLIBCXX_ASSERTIONS)" '__glibcxx_assert_fail' "$symbols"
  if grep -q 'X86-64' <<<"$header"; then
    entries="$(objdump -d --no-show-raw-insn "$1" | grep -c endbr64 || true)"
    if ((entries < FEW)); then entries=""; fi
    expect "$1" "branch protection (-fcf-protection)" '.' "$entries"
  fi
}

for program in "$@"; do check "$program"; done
exit "$faults"
