#!/bin/sh
# Builds the library and the examples into build/release and runs the article's two experiments: its table of seven
# rows, and MovieLens-100k where that is ($GRADUS_DATA/ml-100k or ../shared/data/ml-100k), else a planted stand-in.
# On Debian and Ubuntu it installs what is missing. Run it again as you like; the second time is fast.
set -eu
cd "$(dirname "$0")/.."
. cmake/prepare.sh

# $packages is a list of words.
# shellcheck disable=SC2086
install $packages
build_preset release examples

say "running build/release/examples/article"
build/release/examples/article

data=${GRADUS_DATA:-../shared/data}/ml-100k
if [ -d "$data" ]; then
  say "running build/release/examples/movielens $data"
  build/release/examples/movielens "$data"
elif [ -n "${GRADUS_DATA:-}" ]; then
  stop "GRADUS_DATA is $GRADUS_DATA, but $data is not a folder"
else
  say "running build/release/examples/movielens"
  build/release/examples/movielens
fi
