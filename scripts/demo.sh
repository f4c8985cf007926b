#!/usr/bin/env bash
# Sets this machine up, builds Kith, trains a voice on a server of its own, searches, blends and streams it, and says what
# came of each step. Cleans up behind itself, also on Ctrl-C.
#
# Usage: scripts/demo.sh [FEATURE_FOLDER]
#
#   FEATURE_FOLDER   a folder of .npy frames, such as RVC's logs/NAME/3_feature768; without one, frames are generated
#
#   KITH_BIN         a folder with kithd and kith: runs those, without set-up and build
set -euo pipefail
export LC_ALL=C.UTF-8 # a point in numbers, file names in the order of their bytes

REPO="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly REPO
readonly START_SECONDS=60 # for the server to come up
readonly STOP_SECONDS=20  # for it to drain
readonly CLIENTS=8 STREAM_SECONDS=5

work=""    # everything of this run; removed at the end
server=""  # process ids, empty while there is none
step=""
address="" # of the server
bin=""     # where kithd and kith are

say() { echo "$*"; }
fail() {
  echo "demo: $*" >&2
  exit 1
}

# --- Processes. Each runs in a session of its own, so that Ctrl-C reaches this script alone and it stops them in order.

# Runs a command to its end. `wait` returns at once on a signal, so that Ctrl-C does not wait for the command.
run() {
  setsid "$@" </dev/null &
  step=$!
  local code=0
  wait "$step" || code=$?
  step=""
  return "$code"
}

# stop PID SECONDS: asks the process and all that it started to end, and after that time makes them.
stop() {
  local deadline=$((SECONDS + $2))
  kill -TERM -- "-$1" 2>/dev/null || kill -TERM "$1" 2>/dev/null || true
  while kill -0 "$1" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.05; done
  kill -KILL -- "-$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

cleanup() {
  trap '' INT TERM HUP
  [[ -z "$step" ]] || stop "$step" 5
  [[ -z "$server" ]] || stop "$server" "$STOP_SECONDS"
  [[ -z "$work" ]] || rm -rf "$work"
}

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# --- Build and start.

build() {
  "$REPO/scripts/setup.sh" --build
  say "Building (the first time faiss as well: some ten minutes on two cores) ..."
  local log="$work/build.log"
  if ! run env -C "$REPO" cmake --preset release >"$log" 2>&1 ||
    ! run env -C "$REPO" cmake --build --preset release --target kithd kith >>"$log" 2>&1; then
    tail -n 60 "$log" >&2
    fail "the build failed; its last lines stand above"
  fi
}

start_server() {
  : >"$work/server.out"
  setsid "$bin/kithd" --config "$REPO/config/kithd.yaml" --listen 127.0.0.1:0 --data-dir "$work/data" \
    </dev/null >"$work/server.out" 2>"$work/server.log" &
  server=$!
  local deadline=$((SECONDS + START_SECONDS))
  until address="$(sed -n 's/^listening on //p' "$work/server.out")" && [[ -n "$address" ]] &&
    "$bin/kith" --server "$address" --timeout 2 health >/dev/null 2>&1; do
    if ! kill -0 "$server" 2>/dev/null || ((SECONDS >= deadline)); then
      tail -n 20 "$work/server.log" >&2
      fail "the server did not come up; its last log lines stand above"
    fi
    sleep 0.05
  done
  say "Server    $address, data in $work/data"
}

# Runs kith against the server; the keys and values of the JSON object that it ends with land in `of`.
declare -A of=()
kith() {
  if ! run "$bin/kith" --server "$address" --json "$@" >"$work/kith.out"; then
    tail -n 20 "$work/server.log" >&2
    fail "'kith $1' failed; its message and the server's last log lines stand above"
  fi
  of=()
  local key value
  while IFS='=' read -r key value; do of["$key"]="$value"; done < <(
    tail -n 1 "$work/kith.out" | grep -oE '"[a-z0-9_]+" *: *("[^"]*"|[^][{}," ]+)' |
      sed -E 's/^"([a-z0-9_]+)" *: *"?([^"]*)"?$/\1=\2/'
  )
}

# --- What is shown.

# Links the frames to train on into $work/train, and keeps the last file back to ask with: `query`.
share_out_frames() {
  local files file
  mapfile -d '' -t files < <(find -L "$1" -maxdepth 1 -type f -name '*.npy' -print0 | sort -z)
  ((${#files[@]} > 0)) || fail "there is no .npy file in $1"
  query="${files[-1]}"
  if ((${#files[@]} > 1)); then
    unset 'files[-1]'
    say "Frames    ${#files[@]} files of $1; $(basename "$query") is kept back to ask with"
  else
    say "Frames    one file, $query; it is also what is asked with"
  fi
  mkdir "$work/train"
  for file in "${files[@]}"; do ln -s "$(realpath "$file")" "$work/train/"; done
}

train() {
  kith train demo "$work/train"
  printf 'Trained   %d rows of %d values in %.1f s\n' "${of[rows]}" "${of[dimension]}" "${of[seconds]}"
  printf 'Index     %s: nlist %d, nprobe %d\n' "${of[factory]}" "${of[nlist]}" "${of[nprobe]}"
  printf 'Recall    %.3f of the 8 nearest rows are found, against exact search\n' "${of[recall_at_8]}"
}

ask() {
  kith search demo "$query" --ids "$work/ids.npy" --distances "$work/distances.npy"
  printf 'Search    %d rows, %d neighbours each, in %.3f s\n' "${of[rows]}" "${of[k]}" "${of[seconds]}"
  kith expand demo "$query" -o "$work/blended.npy"
  printf 'Expand    %d rows blended in %.3f s, %d without a neighbour\n' \
    "${of[rows]}" "${of[seconds]}" "${of[passthrough_rows]}"
}

stream() {
  say "Streaming $CLIENTS clients in real time for $STREAM_SECONDS s ..."
  kith stream demo "$query" --clients "$CLIENTS" --seconds "$STREAM_SECONDS"
  printf 'Stream    %d blocks, %d rows: %d late, %d passed through unchanged, %d errors\n' \
    "${of[blocks]}" "${of[rows]}" "${of[late]}" "${of[bypassed]}" "${of[errors]}"
  printf 'Latency   p50 %.2f ms, p95 %.2f ms, p99 %.2f ms, worst %.2f ms\n' \
    "${of[p50_ms]}" "${of[p95_ms]}" "${of[p99_ms]}" "${of[max_ms]}"
}

main() {
  if [[ "${1:-}" == -h || "${1:-}" == --help ]]; then
    sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    return
  fi
  (($# <= 1)) || fail "at most one feature folder; see scripts/demo.sh --help"
  [[ $# -eq 0 || -d "$1" ]] || fail "$1 is not a folder"

  work="$(mktemp -d "${TMPDIR:-/tmp}/kith-demo.XXXXXX")"
  bin="${KITH_BIN:-$REPO/build/release/bin}"
  [[ -n "${KITH_BIN:-}" ]] || build
  start_server
  local folder="${1:-$work/frames}"
  if (($# == 0)); then
    say "Making frames that look like speech; give a folder of your own to hear of those ..."
    kith generate "$folder" --rows 12000 --dimension 768
  fi
  share_out_frames "$folder"
  train
  ask
  stream

  cat <<END

The server is stopped now and its data removed. To keep one running, in $REPO:

  build/release/bin/kithd --config config/kithd.yaml --data-dir ~/kith-data
  build/release/bin/kith train my-voice FEATURE_FOLDER
END
}

main "$@"
