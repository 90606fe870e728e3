#!/bin/sh
# Installs a build into a scratch prefix, moves it (it must not know where it was put), and builds and runs main.cpp
# against it twice: by find_package and by pkg-config. usage: run.sh BUILD_FOLDER CMAKE COMPILER PKG_CONFIG [FLAGS]
set -eu
build=$1 cmake=$2 compiler=$3 pkg_config=$4 flags=${5-}
here=$(cd "$(dirname "$0")" && pwd)
scratch=$build/tests/package
prefix=$scratch/prefix
rm -rf "$scratch"
mkdir -p "$scratch"

"$cmake" --install "$build" --prefix "$scratch/first" >"$scratch/install.log"
mv "$scratch/first" "$prefix"
[ -f "$prefix/include/gradus/gradus.h" ] || { echo "package: include/gradus/gradus.h is not installed"; exit 1; }

if [ -x "$build/examples/fm" ]; then
  LD_LIBRARY_PATH=$prefix/lib "$prefix/bin/gradus-fm" --version
fi

echo "package: by find_package"
"$cmake" -S "$here" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_CXX_FLAGS="$flags"
"$cmake" --build "$scratch/build"
LD_LIBRARY_PATH=$prefix/lib "$scratch/build/consumer"

echo "package: by pkg-config"
description=$(dirname "$(find "$prefix" -name gradus.pc)")
PKG_CONFIG_PATH=$description${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
# The flags are lists of words.
# shellcheck disable=SC2046,SC2086
"$compiler" -std=c++20 $flags "$here/main.cpp" -o "$scratch/consumer" $("$pkg_config" --cflags --libs gradus)
LD_LIBRARY_PATH=$(dirname "$description") "$scratch/consumer"
