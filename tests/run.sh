#!/bin/sh
# Builds everything but the benchmarks into build/release and runs the tests. On Debian and Ubuntu it installs what is missing.
set -eu
cd "$(dirname "$0")/.."
. cmake/prepare.sh

# $packages is a list of words.
# shellcheck disable=SC2086
install $packages
build_preset release
say "testing build/release"
ctest --preset release
