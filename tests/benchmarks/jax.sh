#!/bin/sh
# The eight formulas from papers in Gradus and then in JAX (jax_papers.py), one thread each; JAX comes from PyPI into
# build/python-jax. Some minutes. Arguments go to jax_papers.py.
set -eu
cd "$(dirname "$0")/../.."
. cmake/prepare.sh

# $packages is a list of words.
# shellcheck disable=SC2086
install $packages python3-venv
[ -x build/python-jax/bin/python ] || python3 -m venv build/python-jax
build/python-jax/bin/python -c "import jax" 2>/dev/null || logged python-jax build/python-jax/bin/pip install -q jax
sh tests/benchmarks/run.sh '^paper'
build/python-jax/bin/python tests/benchmarks/jax_papers.py --beside build/benchmarks/benchmarks.json "$@"
