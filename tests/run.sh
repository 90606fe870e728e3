#!/bin/sh
# Builds the tests, with the library and fm, into build/release and runs them. On Debian and Ubuntu it installs what is
# missing. (examples/run.sh builds the other examples, benchmarks/run.sh the benchmarks.)
set -eu
cd "$(dirname "$0")/.."
. cmake/prepare.sh

# $packages is a list of words.
# shellcheck disable=SC2086
install $packages
build_preset release tests
say "testing build/release"
ctest --preset release
