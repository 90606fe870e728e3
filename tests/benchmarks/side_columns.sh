#!/bin/sh
# What columns beside user and item bring mcmc on MovieLens-100k's split ua: the items of a user and the users of an item
# (of the rows to learn from alone), then besides the time of a rating in twenty parts of as many rows each, and a user's
# age by five years, sex and job and a movie's genres. 20 factors, 500 epochs, 100 samples, one thread. Prints the test
# RMSE of each seed: 1 to 5, or the arguments. The data are looked for in $GRADUS_DATA and ../shared/data.
set -eu
cd "$(dirname "$0")/../.."
. cmake/prepare.sh

# $packages is a list of words.
# shellcheck disable=SC2086
install $packages
build_preset release fm
fm=$PWD/build/release/examples/fm
data=$(cd "${GRADUS_DATA:-../shared/data}/ml-100k" && pwd)
mkdir -p build/benchmarks/side_columns
cd build/benchmarks/side_columns

cut -f4 "$data/ua.base" | sort -n | awk '{ at[NR] = $1 } END { for (i = 1; i < 20; ++i) print at[int(NR * i / 20)] }' >bounds
for part in base test; do
  awk -F'\t' 'NR == FNR { bound[++n] = $1; next }
              FNR == 1 { print "user,item,rating,time" }
              { time = 0; for (i = 1; i <= n; ++i) if ($4 > bound[i]) time = i; print $1 "," $2 "," $3 ",t" time }' \
    bounds "$data/ua.$part" >"$part.csv"
done
awk -F'|' 'BEGIN { print "user,age,gender,occupation" } { print $1 "," int($2 / 5) * 5 "y," $3 "," $4 }' \
  "$data/u.user" >users.csv
LC_ALL=C awk -F'|' 'BEGIN { print "item,genres" }
                    { all = ""; for (i = 6; i <= 24; ++i) if ($i == 1) all = all (all == "" ? "" : "|") "g" i - 5; print $1 "," all }' \
  "$data/u.item" >items.csv

# rmse SEED OPTIONS: of the test set.
rmse() {
  seed=$1
  shift
  "$fm" train base.csv --test test.csv --target rating --learner mcmc --factors 20 --epochs 500 --samples 100 \
    --valid-fraction 0 --threads 1 --seed "$seed" --implicit user:item,item:user --quiet --json "$@" |
    awk '/"test rmse"/ { printf "%.4f", $3 }'
}

printf '| seed | implicit columns | and time, age, sex, job, genres |\n|--:|--:|--:|\n'
[ $# -gt 0 ] || set -- 1 2 3 4 5
for seed in "$@"; do
  printf '| %s | %s | %s |\n' "$seed" "$(rmse "$seed" --categorical user,item --ignore time)" \
    "$(rmse "$seed" --categorical user,item,time --join users.csv --on user --join items.csv --on item --multi genres)"
done
