#!/usr/bin/env bash
# Installs what building Kith needs on Debian 12, as root or through sudo. Quick and silent where nothing is missing.
#
# Usage: scripts/setup.sh
set -euo pipefail

readonly PACKAGES=(
  # tools; dpkg-dev unpacks the source package of faiss (scripts/build_faiss.sh)
  ca-certificates ccache cmake dpkg-dev g++ ninja-build pkg-config protobuf-compiler protobuf-compiler-grpc
  # libraries
  libarchive-dev libcli11-dev libcpp-httplib-dev libgrpc++-dev libopenblas-openmp-dev libprotobuf-dev libspdlog-dev
  libsqlite3-dev libssl-dev libsystemd-dev libyaml-cpp-dev nlohmann-json3-dev prometheus-cpp-dev
  # tests and benchmarks
  libbenchmark-dev libgmock-dev libgtest-dev
  # the Python package and its tests (client/python, tests/python)
  mypy python3-faiss python3-grpcio python3-numpy python3-pip python3-protobuf python3-pytest python3-setuptools
  python3-venv python3-wheel
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

main() {
  require_debian_12
  local missing as_root=()
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} > 0)) || return 0
  if ((EUID != 0)); then
    if ! sudo -n true 2>/dev/null; then
      say "packages are missing and this is not root; as root, run:"
      say "  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
      exit 1
    fi
    as_root=(sudo -n)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get -qq update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 \
    install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null
}

main
