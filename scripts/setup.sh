#!/usr/bin/env bash
# Installs what building and testing Kith needs on Debian 12, as root or through sudo. Quick and silent where nothing is
# missing.
#
# Usage: scripts/setup.sh [--build]
#
#   --build   only what the programs are built with
set -euo pipefail

PACKAGES=(
  # tools; dpkg-dev unpacks the source package of faiss (scripts/build_faiss.sh)
  ca-certificates ccache cmake dpkg-dev g++ ninja-build pkg-config protobuf-compiler protobuf-compiler-grpc
  # libraries
  libarchive-dev libcli11-dev libcpp-httplib-dev libgrpc++-dev libopenblas-openmp-dev libprotobuf-dev libspdlog-dev
  libsqlite3-dev libssl-dev libsystemd-dev libyaml-cpp-dev nlohmann-json3-dev prometheus-cpp-dev
)
readonly PACKAGES_OF_TESTS=(
  # tests and benchmarks
  libbenchmark-dev libgmock-dev libgtest-dev
  # the Python package and its tests (client/python, tests/python)
  mypy python3-faiss python3-grpcio python3-numpy python3-pip python3-protobuf python3-pytest python3-setuptools
  python3-venv python3-wheel
  # the tests of the status page (tests/page)
  chromium fonts-dejavu-core
)

say() { echo "setup: $*" >&2; }

missing_packages() {
  local installed package
  # shellcheck disable=SC2016  # ${...} is dpkg-query's
  installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "${PACKAGES[@]}" 2>/dev/null || true)"
  for package in "${PACKAGES[@]}"; do
    [[ "$installed" == *" installed:$package "* ]] || echo "$package"
  done
}

require_debian_12() {
  local name
  # shellcheck source=/dev/null
  name="$(. /etc/os-release 2>/dev/null && echo "${ID:-unknown} ${VERSION_ID:-}")" || name="an unknown system"
  [[ "$name" == "debian 12" ]] && return
  say "this is ${name}, and Kith is built on Debian 12: use a Debian 12 machine, or docker/Dockerfile"
  exit 1
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

install_packages() {
  if ((EUID != 0)) && ! sudo -n true 2>/dev/null; then
    say "packages are missing and this is not root; as root, run:"
    say "  apt-get update && apt-get install --no-install-recommends $*"
    exit 1
  fi
  say "installing $*"
  as_root apt-get -qq update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 \
    install -y --no-install-recommends "$@" </dev/null >/dev/null
}

# Prometheus and promtool, for tests/monitoring: the programs alone, because the package would start a server of its own
# on all addresses.
fetch_prometheus() {
  local folder="${KITH_CACHE_DIR:-$HOME/.cache/kith}/prometheus"
  [[ ! -x "$folder/usr/bin/promtool" ]] || return 0
  say "fetching prometheus into $folder"
  mkdir -p "$folder"
  (
    cd "$folder"
    apt-get -qq download prometheus >/dev/null 2>&1 || { as_root apt-get -qq update && apt-get -qq download prometheus; }
    dpkg-deb -x prometheus_*.deb .
    rm prometheus_*.deb
  )
}

main() {
  require_debian_12
  local missing tests=true
  [[ "${1:-}" != --build ]] || tests=false
  if [[ "$tests" == true ]]; then
    PACKAGES+=("${PACKAGES_OF_TESTS[@]}")
    # Node.js that somebody installed from elsewhere brings npm with it, and Debian's npm would not go with that.
    command -v npm >/dev/null || PACKAGES+=(nodejs npm)
  fi
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
  [[ "$tests" == false ]] || fetch_prometheus
}

main "$@"
