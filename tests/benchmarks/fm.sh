#!/bin/sh
# How long an epoch of `fm train` takes: MovieLens-100k, 20 factors, batches of 1024, with Adagrad alone and as usual
# (Adam, L2 penalties), with one thread and with two; the median of 40 epochs. Builds what it needs. The data are in
# $GRADUS_DATA/ml-100k or ../shared/data/ml-100k.
# (How long the whole command takes on 900,000 ratings, and its memory, the test fm_program_test says.)
set -eu
cd "$(dirname "$0")/../.."
. cmake/prepare.sh

build_preset release fm
data=${GRADUS_DATA:-../shared/data}/ml-100k/ua.base
[ -r "$data" ] || stop "$data is not there"

# epochs NAME THREADS OPTION...
epochs() {
  name=$1
  threads=$2
  shift 2
  env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE build/release/examples/fm train "$data" --factors 20 \
    --valid-fraction 0 --epochs 40 --threads "$threads" --json "$@" |
    sed -n 's/.*"seconds": \([0-9.e-]*\).*/\1/p' | sort -g |
    awk -v name="$name" -v threads="$threads" '{ s[NR] = $1 } END {
      printf "%-7s %d thread%s: %.2f ms an epoch (median; %.2f the fastest)\n", name, threads, (threads > 1 ? "s" : " "),
        1000 * s[int((NR + 1) / 2)], 1000 * s[1] }'
}

for threads in 1 2 1 2; do epochs adagrad $threads --optimizer adagrad --l2-w 0 --l2-v 0; done
for threads in 1 2 1 2; do epochs usual $threads; done
