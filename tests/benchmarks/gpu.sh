#!/bin/sh
# Times training steps on the first NVIDIA GPU, then the same steps in PyTorch, and prints both in one table; GPU.md says
# what the figures mean. Leaves gpu.json and torch_gpu.json in build/benchmarks. Some minutes. Arguments go to both
# programs: gpu.sh --device=cuda:1. MovieLens-100k is looked for in $GRADUS_DATA and in ../shared/data; PyTorch in the
# python3 at hand, or $PYTHON.
set -eu
cd "$(dirname "$0")/../.."
. cmake/prepare.sh

# $packages is a list of words.
# shellcheck disable=SC2086
install $packages
build_preset release gradus_gpu_bench
mkdir -p build/benchmarks
say "running build/release/tests/gradus_gpu_bench"
build/release/tests/gradus_gpu_bench --json=build/benchmarks/gpu.json "$@"
say "running the same in PyTorch"
"${PYTHON:-python3}" tests/benchmarks/torch_gpu.py --json=build/benchmarks/torch_gpu.json \
  --beside=build/benchmarks/gpu.json "$@" || [ $? = 77 ]
