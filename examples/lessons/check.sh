#!/bin/sh
# How far you have come with the exercises of the lessons (docs/index.md). It builds what it needs; on Debian and Ubuntu
# it installs what is missing.
#   sh examples/lessons/check.sh 02          does examples/lessons/exercises/02_*.cpp pass, and if not, why?
#   sh examples/lessons/check.sh 02 --hint   three hints, the plainest last
#   sh examples/lessons/check.sh             all exercises, a line each
#   sh examples/lessons/check.sh --all-solutions   the tests of the exercises themselves: what the project's checks run
# GRADUS_EXERCISE_SEED=7 draws other values for the tests.
set -eu
cd "$(dirname "$0")/../.."
. cmake/prepare.sh

usage() { stop "usage: sh examples/lessons/check.sh [NN [--hint] | --all-solutions]"; }

# title NN: "02 reverse", or stops where there is no such exercise.
title() {
  for source in examples/lessons/exercises/"$1"_*.cpp; do
    [ -f "$source" ] || stop "there is no exercise $1; there are $(
      find examples/lessons/exercises -name '*.cpp' | sed 's|.*/||; s/_.*//' | sort | tr '\n' ' ')"
    name=${source##*/}
    name=${name%.cpp}
    printf '%s %s' "$1" "$(printf '%s' "${name#*_}" | tr _ ' ')"
  done
}

# built TARGET: builds it, and shows what the compiler says where that fails.
built() { cmake --build build/release --parallel "$jobs" --target "$1" >build/lesson.log 2>&1; }

configured() {
  # shellcheck disable=SC2086 # $packages is a list of words
  install $packages
  build_preset release gradus
}

case ${1:-} in
  "")
    configured
    for source in examples/lessons/exercises/*.cpp; do
      number=${source##*/}
      number=${number%%_*}
      if built "exercise_$number"; then
        "build/release/tests/lessons/exercise_$number" "$(title "$number")" || true
      else
        printf '%s: does not compile\n' "$(title "$number")"
      fi
    done
    ;;
  --all-solutions)
    [ $# = 1 ] || usage
    configured
    built gradus_lesson_proofs || { cat build/lesson.log >&2; exit 1; }
    build/release/tests/lessons/gradus_lesson_proofs --prove tests/lessons
    ;;
  [0-9][0-9])
    name=$(title "$1")
    case $#${2:-} in
      1)
        configured
        built "exercise_$1" || {
          grep -E 'error|warning' build/lesson.log >&2 || cat build/lesson.log >&2
          stop "$name does not compile"
        }
        "build/release/tests/lessons/exercise_$1" "$name"
        ;;
      2--hint) sed -n '/^\/\//!q; s|^// ||p' "tests/lessons/$1_test.cpp" ;;
      *) usage ;;
    esac
    ;;
  *) usage ;;
esac
