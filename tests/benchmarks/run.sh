#!/bin/sh
# Builds the benchmarks into build/release and runs them: Gradus beside hand-written loops, with the targets of their
# ratios, formulas from papers among them, and what plans, memory and growing sizes cost. Leaves in build/benchmarks
# ratios.json (the table) and benchmarks.json (all of it, as Google Benchmark writes it). Some minutes; an argument, a
# regular expression, runs only the rows it names: run.sh '^criteo batch', run.sh '^paper'. MovieLens-100k is looked for
# in $GRADUS_DATA and in ../shared/data.
set -eu
cd "$(dirname "$0")/../.."
. cmake/prepare.sh

# $packages is a list of words.
# shellcheck disable=SC2086
install $packages
build_preset release gradus_bench
# Either may be set for another machine than this; sgemm then takes twice as long.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
# A plan waits for its kernels, which else would come in the middle of a measurement.
export GRADUS_COMPILE="${GRADUS_COMPILE:-now}"
mkdir -p build/benchmarks
say "running build/release/tests/gradus_bench"
build/release/tests/gradus_bench --ratios=build/benchmarks/ratios.json --benchmark_filter="${1:-.}" \
  --benchmark_out=build/benchmarks/benchmarks.json --benchmark_out_format=json
