#!/bin/sh
# How far you have come with the exercises of the lessons (docs/index.md). It builds what it needs; on Debian and Ubuntu
# it installs what is missing.
#   sh examples/lessons/check.sh 02          does examples/lessons/exercises/02_*.cpp pass, and if not, why?
#   sh examples/lessons/check.sh 02 --hint   three hints, the plainest last
#   sh examples/lessons/check.sh 02 --run    builds and runs the lesson's program, which you may change; what follows
#                                            goes to the program: 09 --run --page article.html
#   sh examples/lessons/check.sh             all exercises, a line each
#   sh examples/lessons/check.sh --all-solutions   the tests of the exercises themselves: what the project's checks run
# GRADUS_EXERCISE_SEED=7 draws other values for the tests.
set -eu
cd "$(dirname "$0")/../.."
. cmake/prepare.sh

usage() { stop "usage: sh examples/lessons/check.sh [NN [--hint | --run [ARGUMENT...]] | --all-solutions]"; }

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

built() { cmake --build build/release --parallel "$jobs" --target "$1" >build/lesson.log 2>&1; }

# must_build TARGET NAME: builds it, or stops with what the compiler says.
must_build() {
  built "$1" && return
  grep -E 'error|warning' build/lesson.log >&2 || cat build/lesson.log >&2
  stop "$2 does not compile"
}

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
    must_build gradus_lesson_proofs "an exercise"
    build/release/tests/lessons/gradus_lesson_proofs --prove tests/lessons
    ;;
  [0-9][0-9])
    name=$(title "$1")
    [ $# -le 2 ] || [ "$2" = --run ] || usage
    case ${2:-} in
      "")
        configured
        must_build "exercise_$1" "$name"
        "build/release/tests/lessons/exercise_$1" "$name"
        ;;
      --hint) sed -n '/^\/\//!q; s|^// ||p' "tests/lessons/$1_test.cpp" ;;
      --run)
        configured
        program=$(basename examples/lessons/"$1"_*.cpp .cpp)
        must_build "lesson_$program" "$name"
        shift 2
        "build/release/examples/lessons/$program" "$@"
        ;;
      *) usage ;;
    esac
    ;;
  *) usage ;;
esac
