# What examples/run.sh, tests/run.sh and .ci/run share; they source it from the top of the repository. The one list of
# packages and how they get here, and how a preset is configured and built. POSIX sh.
# shellcheck disable=SC2034 # the lists are used where this is sourced

packages="g++ cmake ninja-build pkgconf libfmt-dev nlohmann-json3-dev libopenblas-dev libzip-dev zlib1g-dev
  libcli11-dev doctest-dev libbenchmark-dev"
check_packages="git clang clang-format clang-tidy shellcheck nodejs python3-venv python3-jsonschema chromium
  universal-ctags mkdocs-material openmpi-bin libopenmpi-dev"

jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

say() { printf 'gradus: %s\n' "$*"; }
stop() {
  say "$*" >&2
  exit 1
}

# install PACKAGE...: those that are missing, by apt-get; elsewhere stops with what is missing.
install() {
  if ! command -v apt-get >/dev/null; then
    require_tools
    return
  fi
  missing=
  for package in "$@"; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
      installed) ;;
      *) missing="$missing $package" ;;
    esac
  done
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" = 0 ]; then
    as_root=
  elif command -v sudo >/dev/null; then
    as_root=sudo
  else
    stop "not installed:$missing; as root, run: apt-get install$missing"
  fi
  say "installing$missing"
  # $as_root and $missing are lists of words.
  # shellcheck disable=SC2086
  {
    logged install $as_root apt-get update -q
    logged install $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
  }
}

# Without apt-get: stops unless the tools and the libraries that must come from the system are there. CMake looks for
# the rest, and says so likewise.
require_tools() {
  missing=
  for tool in "${CXX:-c++}" cmake pkg-config; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
  done
  for library in openblas libzip zlib; do
    pkg-config --exists "$library" 2>/dev/null || missing="$missing $library"
  done
  [ -z "$missing" ] || stop "there is no apt-get to install what is missing:$missing; install these with your system's" \
    "package manager (fmt, doctest and what else is not there CMake downloads by FetchContent: GRADUS_FETCH=ON sh $0)"
}

# logged NAME COMMAND...: runs it, and shows what it printed only where it fails.
logged() {
  mkdir -p build
  log=build/$1.log
  shift
  "$@" >"$log" 2>&1 </dev/null || {
    cat "$log" >&2
    stop "failed: $*"
  }
}

# build_preset PRESET [TARGETS]: configures and builds into build/PRESET, with Ninja and ccache where they are.
build_preset() {
  if command -v ninja >/dev/null; then export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"; fi
  if command -v ccache >/dev/null; then
    export CMAKE_CXX_COMPILER_LAUNCHER="${CMAKE_CXX_COMPILER_LAUNCHER:-ccache}"
    # Hits in another clone too, but for files that hold absolute paths.
    export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1
    export CCACHE_SLOPPINESS="${CCACHE_SLOPPINESS:-pch_defines,time_macros}"  # what precompiled headers need
    # Found by the texts it depends on, comments too: g++ tells by its text whether a header with #pragma once is in a
    # precompiled one, so that one kept from before a comment changed would have it included twice. What ccache kept
    # without this it would find again, by those texts too: hence a name for what is kept with it.
    export CCACHE_DEPEND=1 CCACHE_NAMESPACE=gradus-by-texts
  fi
  say "configuring build/$1"
  logged "configure-$1" cmake --preset "$1" ${GRADUS_FETCH:+"-DGRADUS_FETCH=$GRADUS_FETCH"}
  say "building build/$1"
  set -- "$1" cmake --build "build/$1" --parallel "$jobs" ${2:+--target $2}
  if [ -t 1 ]; then
    shift
    "$@" || stop "failed: $*"
  else
    preset=$1
    shift
    logged "build-$preset" "$@"
  fi
}
