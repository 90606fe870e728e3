#!/bin/sh
# run.sh PROGRAM EXPECTED: whether a lesson prints what is expected. Lines that begin with ~ hold times: of them the
# numbers may differ.
set -eu
timeless='/^~/s/[0-9][0-9.]*/#/g'
printed=$(GRADUS_ISA=portable GRADUS_COMPILE=off OPENBLAS_NUM_THREADS=1 "$1")
expected=$(sed "$timeless" "$2")
printed=$(printf '%s\n' "$printed" | sed "$timeless")
[ "$printed" = "$expected" ] && exit
printf 'expected:\n%s\n\nprinted:\n%s\n\nIf this is as it should be now: docs/weave.py --update\n' "$expected" "$printed"
exit 1
