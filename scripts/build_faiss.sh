#!/usr/bin/env bash
# Builds faiss from the distribution's own source package, once for each level of the processor, and prints the
# folder it lies in:
#
#   include/faiss/*.h
#   lib/libfaiss.so                             any processor
#   lib/glibc-hwcaps/x86-64-v3/libfaiss.so      AVX2; the dynamic loader picks the best one at start
#   lib/glibc-hwcaps/x86-64-v4/libfaiss.so      AVX-512
#
# Debian's own libfaiss is compiled for SSE2 and takes about five times as long for a search. The result is cached by
# version, flags and compiler, so that only the first call pays (about six minutes on two cores). The system's package lists
# and source entries stay as they are.
#
# Usage: scripts/build_faiss.sh        (KITH_CACHE_DIR: where to cache; default ~/.cache/kith)
set -euo pipefail

readonly VERSION=1.7.3
readonly FLAGS="-O3 -DNDEBUG"
readonly CACHE="${KITH_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kith}"
MULTIARCH="$(gcc -print-multiarch)"
readonly MULTIARCH BLAS="/usr/lib/$MULTIARCH/openblas-openmp"
readonly COMPILER="${CXX:-c++}"

say() { echo "build_faiss: $*" >&2; }

levels() {  # "name march" for each build; only x86-64 has levels
  echo "baseline -"
  if [[ "$(uname -m)" == x86_64 ]]; then
    echo "x86-64-v3 x86-64-v3"
    echo "x86-64-v4 x86-64-v4"
  fi
}

fetch_source() {  # $1: an empty folder; leaves faiss-$VERSION in it
  mkdir -p "$1/apt/parts" "$1/apt/lists/partial" "$1/apt/cache"
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [[ -f "$file" ]] || continue
    sed -E 's/^deb([[:space:]])/deb-src\1/; s/^Types:.*/Types: deb-src/' "$file" >"$1/apt/parts/$(basename "$file")"
  done
  local options=(-qq -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$1/apt/parts"
                 -o "Dir::State::Lists=$1/apt/lists" -o "Dir::Cache=$1/apt/cache" -o "APT::Sandbox::User=root")
  apt-get "${options[@]}" update >&2 || say "some package sources could not be read; going on with the others"
  local package
  package="$(apt-cache "${options[@]}" showsrc faiss | sed -n "s/^Version: \($VERSION-.*\)/\1/p" | sort -V | tail -n 1)"
  if [[ -z "$package" ]]; then
    say "none of the package sources in /etc/apt has the source of faiss $VERSION"
    exit 1
  fi
  (cd "$1" && apt-get "${options[@]}" source "faiss=$package" >&2)
}

build_level() {  # $1: source, $2: build folder, $3: march or -, $4: where the library goes
  local flags="$FLAGS" launcher=()
  [[ "$3" == - ]] || flags+=" -march=$3"
  ! command -v ccache >/dev/null || launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_COMPILER="$COMPILER" "${launcher[@]}" \
    -DCMAKE_CXX_FLAGS="$flags" \
    -DCMAKE_CXX_VISIBILITY_PRESET=default -DBUILD_SHARED_LIBS=ON -DBUILD_TESTING=OFF \
    -DFAISS_ENABLE_GPU=OFF -DFAISS_ENABLE_PYTHON=OFF \
    -DBLAS_LIBRARIES="$BLAS/libopenblas.so" -DLAPACK_LIBRARIES="$BLAS/libopenblas.so" \
    -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON -DCMAKE_INSTALL_RPATH="$BLAS" >&2
  CCACHE_BASEDIR="$(dirname "$1")" CCACHE_NOHASHDIR=1 cmake --build "$2" --target faiss >&2
  mkdir -p "$4"
  cp "$2/faiss/libfaiss.so" "$4/"
}

main() {
  local key target
  key="$( (echo "$FLAGS"; levels; "$COMPILER" -dumpfullversion -dumpmachine; echo "$BLAS") | sha256sum | cut -c1-12)"
  target="$CACHE/faiss-$VERSION-$key"
  mkdir -p "$CACHE"
  exec 9>"$target.lock"
  flock 9  # two builds at once: the second waits, then finds the first one's result
  if [[ ! -d "$target" ]]; then
    if [[ ! -f "$BLAS/libopenblas.so" ]]; then
      say "$BLAS/libopenblas.so is missing: install libopenblas-openmp-dev, or run scripts/setup.sh"
      exit 1
    fi
    local work
    work="$(mktemp -d "$CACHE/building.XXXXXX")"
    # shellcheck disable=SC2064  # the folder's name as it is now
    trap "rm -rf '$work'" EXIT
    say "fetching the source package of faiss $VERSION"
    fetch_source "$work"
    local name march folder
    while read -r name march; do
      say "compiling faiss $VERSION for $name"
      folder="$work/result/lib"
      [[ "$name" == baseline ]] || folder+="/glibc-hwcaps/$name"
      build_level "$work/faiss-$VERSION" "$work/build-$name" "$march" "$folder"
    done < <(levels)
    mkdir -p "$work/result/include"
    (cd "$work/faiss-$VERSION" && find faiss -name '*.h' -not -path '*/gpu/*' -not -path '*/python/*' \
      -exec cp --parents -t "$work/result/include" {} +)
    mv "$work/result" "$target"
  fi
  echo "$target"
}

main
