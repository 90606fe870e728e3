#!/bin/sh
# Every learner of fm beside the others: the test RMSE and the processor seconds of the whole command, reading and
# choosing penalties and epochs among them, on MovieLens-100k (its split ua, and a random tenth to test with) and on Jester
# (likewise), k = 20, one thread. Prints a table in Markdown. The data are looked for in $GRADUS_DATA and ../shared/data:
# ml-100k, and jester/jester-data-1.zip (needs unzip). Arguments, as `als mcmc`, run only these learners.
set -eu
cd "$(dirname "$0")/../.."
. cmake/prepare.sh

# $packages is a list of words.
# shellcheck disable=SC2086
install $packages
build_preset release fm
fm=$PWD/build/release/examples/fm
data=$(cd "${GRADUS_DATA:-../shared/data}" && pwd)
work=build/benchmarks/learners
mkdir -p "$work"

# halve NAME: the lines of standard input in an order drawn by lot, the first nine tenths to NAME.train, the rest to
# NAME.test; a file NAME.header comes before both.
halve() {
  awk 'BEGIN { srand(42) } { print rand() "\t" $0 }' | sort -k1,1g | cut -f2- >"$work/$1.all"
  tenth=$(($(wc -l <"$work/$1.all") / 10))
  { cat "$work/$1.header" && head -n "-$tenth" "$work/$1.all"; } >"$work/$1.train"
  { cat "$work/$1.header" && tail -n "$tenth" "$work/$1.all"; } >"$work/$1.test"
  rm "$work/$1.all"
}

: >"$work/ml.header"
halve ml <"$data/ml-100k/u.data"
sets="ua ml"
if [ -f "$data/jester/jester-data-1.zip" ]; then
  echo "user,joke,rating" >"$work/jester.header"
  unzip -p "$data/jester/jester-data-1.zip" |
    awk -F, '{ for (j = 2; j <= 101; ++j) if ($j != 99) print NR "," j - 1 "," $j }' | halve jester
  sets="$sets jester"
else
  say "there is no jester/jester-data-1.zip in $data: Jester is left out"
fi

# measure SET LEARNER: "0.9149 | 2.1".
measure() {
  case $1 in
    ua) set -- "$2" "$data/ml-100k/ua.base" "$data/ml-100k/ua.test" --format movielens ;;
    ml) set -- "$2" "$work/ml.train" "$work/ml.test" --format movielens ;;
    jester) set -- "$2" "$work/jester.train" "$work/jester.test" --categorical user,joke --target rating ;;
  esac
  learner=$1 train=$2 test=$3
  shift 3
  "$fm" train "$train" --test "$test" --learner "$learner" --factors 20 --threads 1 --quiet "$@" --json >"$work/out"
  # Of this subshell's children, of which there was one: "0m1.23s 0m0.04s" in the second line.
  times >"$work/times"
  awk 'FNR == 2 && NR == 2 { for (i = 1; i <= 2; ++i) { split($i, at, "m"); seconds += 60 * at[1] + at[2] } }
       /"test rmse"/ { gsub(/[^0-9.]/, "", $3); printf "%.4f | %.1f", $3, seconds }' "$work/times" "$work/out"
}

[ $# -gt 0 ] || set -- sgd momentum adagrad adadelta rmsprop adam adamw ftrl als mcmc
{
  printf '| learner |'
  for name in $sets; do
    case $name in
      ua) printf ' ML-100k, ua: RMSE | s |' ;;
      ml) printf ' ML-100k, a random tenth: RMSE | s |' ;;
      jester) printf ' Jester, a random tenth: RMSE | s |' ;;
    esac
  done
  printf '\n|---|'
  for name in $sets; do printf -- '--:|--:|'; done
  for learner in "$@"; do
    printf '\n| %s |' "$learner"
    for name in $sets; do printf ' %s |' "$(measure "$name" "$learner")"; done
  done
  printf '\n'
}
