#!/usr/bin/env bash
# Builds the image and runs it: what its configuration says, that it does not start unprotected, and that a server in it,
# as its own user and with a read-only root, trains, searches and is healthy.
#
# Where no container engine answers it takes buildah, as root; where no registry can be reached either, it makes the base
# image with debootstrap, and runs the image's files in namespaces of their own.
#
# Usage: docker/test.sh
#
#   KITH_IMAGE_CACHE   a folder for the base image and the compiler's cache; default ~/.cache/kith/image
set -euo pipefail

REPO="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly REPO
readonly BASE=debian:12-slim IMAGE=kith-test
VERSION="$(sed -n 's/^project(kith VERSION \([0-9.]*\).*/\1/p' "$REPO/CMakeLists.txt")"
readonly VERSION
readonly CACHE="${KITH_IMAGE_CACHE:-${HOME:-/root}/.cache/kith/image}"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot # where buildah is taken

work="" container="" engine="" root=""

say() { echo "docker/test: $*"; }
fail() {
  echo "docker/test: $*" >&2
  exit 1
}

cleanup() {
  [[ -z "$container" ]] || buildah rm "$container" >/dev/null 2>&1 || true
  [[ -z "$work" ]] || rm -rf "$work"
}
trap cleanup EXIT

choose_engine() {
  if docker info >/dev/null 2>&1; then
    engine=docker
  elif command -v buildah >/dev/null; then
    engine=buildah
    ((EUID == 0)) || fail "buildah is taken as root only"
  else
    fail "there is neither a docker that answers nor buildah (apt-get install buildah debootstrap)"
  fi
  say "by $engine"
}

# --- The base image, where there is no registry: as debian:12-slim is, without what dpkg is told to leave out.

make_base() {
  if buildah inspect --type image "$BASE" >/dev/null 2>&1 || buildah pull --quiet "$BASE" >/dev/null 2>&1; then return; fi
  say "no registry has $BASE for us: debootstrap makes it"
  command -v debootstrap >/dev/null || fail "debootstrap is missing (apt-get install debootstrap)"
  local rootfs="$work/base" made
  debootstrap --variant=minbase bookworm "$rootfs" >"$work/debootstrap.log" 2>&1 ||
    fail "debootstrap: $(tail -n 3 "$work/debootstrap.log")"
  cp /etc/apt/sources.list.d/*.sources "$rootfs/etc/apt/sources.list.d/" 2>/dev/null && : >"$rootfs/etc/apt/sources.list"
  local path leave_out=(/usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian)
  for path in "${leave_out[@]}"; do
    echo "path-exclude $path/*" >>"$rootfs/etc/dpkg/dpkg.cfg.d/slim"
    rm -rf "${rootfs:?}$path"/*
  done
  rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/cache/apt/*.bin "$rootfs"/var/lib/apt/lists/* "$rootfs"/var/log/*
  container="$(buildah from scratch)"
  made="$(buildah mount "$container")"
  cp -a "$rootfs/." "$made/"
  buildah umount "$container" >/dev/null
  buildah config --cmd bash "$container"
  buildah commit --quiet --format docker "$container" "$BASE" >/dev/null
  buildah rm "$container" >/dev/null
  container=""
  rm -rf "$rootfs"
}

# --- Building.

build() {
  local arguments=(--build-arg "REVISION=$(git -C "$REPO" rev-parse HEAD 2>/dev/null || echo unknown)"
                   -f "$REPO/docker/Dockerfile" -t "$IMAGE" "$REPO")
  if [[ "$engine" == docker ]]; then
    docker build "${arguments[@]}"
  else
    mkdir -p "$CACHE"
    make_base
    # buildah's default format has no HEALTHCHECK. Cache mounts lie in the folder for temporary files.
    TMPDIR="$CACHE" buildah build --format docker --layers --pull-never "${arguments[@]}"
  fi
}

# --- What the image says of itself.

config_of() { # a Go template over the image's configuration
  if [[ "$engine" == docker ]]; then
    docker image inspect --format "{{$1}}" "$IMAGE"
  else
    buildah inspect --type image --format "{{.Docker$1}}" "$IMAGE"
  fi
}

expect() { # NAME IS PATTERN
  # shellcheck disable=SC2053  # a pattern
  [[ "$2" == $3 ]] || fail "$1 is '$2' and not as $3"
  say "$1: $2"
}

check_configuration() {
  expect "user" "$(config_of .Config.User)" "10001:10001"
  expect "health check" "$(config_of .Config.Healthcheck)" "*kith-healthy*"
  expect "volume" "$(config_of .Config.Volumes)" "*/var/lib/kith*"
  expect "ports" "$(config_of .Config.ExposedPorts)" "*50051*9464*"
  expect "stop signal" "$(config_of .Config.StopSignal)" "SIGTERM"
  local label
  for label in title description licenses version revision; do
    expect "label $label" "$(config_of ".Config.Labels" | grep -o "org.opencontainers.image.$label:[^ ]*")" "*:?*"
  done
  expect "version" "$(config_of ".Config.Labels" | grep -o "org.opencontainers.image.version:[^] ]*")" "*:$VERSION"
}

# --- Running. run_in [-e NAME=VALUE] [-v FOLDER:PATH]... COMMAND...: in the image, as its user, with a read-only root, a
# network of its own, and a volume that lasts from run to run.

run_in() {
  local environment=() mounts=()
  while [[ "$1" == -[ev] ]]; do
    if [[ "$1" == -e ]]; then environment+=("$2"); else mounts+=("$2"); fi
    shift 2
  done
  mounts+=("$work/data:/var/lib/kith" "$REPO/docker:/test")
  if [[ "$engine" == docker ]]; then
    docker run --rm --read-only --network none "${environment[@]/#/-e}" "${mounts[@]/#/-v}" --entrypoint "$1" "$IMAGE" "${@:2}"
  else
    ROOT="$root" MOUNTS="$(printf '%s\n' "${mounts[@]}")" unshare --mount --net --pid --ipc --uts --fork --kill-child \
      bash "$REPO/docker/in_root.sh" env "${environment[@]}" "$@"
  fi
}

extract() {
  [[ "$engine" == buildah ]] || return 0
  container="$(buildah from --pull-never "$IMAGE")"
  root="$(buildah mount "$container")"
}

check_running() {
  mkdir -p "$work/data" "$work/auth" "$work/scrape" "$work/tls"
  chown -R 10001:10001 "$work"
  chmod 0755 "$work"

  local output code=0
  output="$(run_in kithd-in-image 2>&1)" || code=$?
  [[ "$code" == 2 && "$output" == *insecure* ]] || fail "without tokens and TLS it ended with $code: $output"
  say "without tokens and TLS it does not start: $(tail -n 1 <<<"$output" | cut -c1-100) ..."

  run_in -e KITH_INSECURE=true sh /test/inside.sh insecure
  run_in -v "$work/auth:/run/kith/auth" -v "$work/scrape:/run/kith/scrape" kith-first-token 2>/dev/null
  run_in -v "$work/auth:/run/kith/auth" -e KITH_TOKEN_FILE=/run/kith/auth/token sh /test/inside.sh tokens
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=kith -addext subjectAltName=DNS:localhost \
    -keyout "$work/tls/tls.key" -out "$work/tls/tls.crt" 2>/dev/null
  chown 10001:10001 "$work/tls"/*
  run_in -v "$work/tls:/run/kith/tls" -e KITH_TLS_CA=/run/kith/tls/tls.crt -e KITH_SERVER=localhost:50051 \
    sh /test/inside.sh tls
}

size_of_image() {
  if [[ "$engine" == docker ]]; then
    docker image inspect --format '{{.Size}}' "$IMAGE" | numfmt --to=si
  else
    du -sb --apparent-size "$root" | cut -f1 | numfmt --to=si
  fi
}

main() {
  work="$(mktemp -d "${TMPDIR:-/tmp}/kith-image.XXXXXX")"
  choose_engine
  local start=$SECONDS
  build
  say "built in $((SECONDS - start)) s"
  check_configuration
  extract
  check_running
  say "the image has $(size_of_image)B of files"
  say "passed"
}

main "$@"
