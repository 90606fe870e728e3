#!/bin/sh
# A random one of four ranks is killed at a random time, again and again, while they share out tables or do not; all
# must end within 10 s, no file be torn, and --resume must end at the bits of a training that nobody disturbed. Exits 77
# where there is no mpirun or no module.
#   sh kills.sh FM MODULE FOLDER [COUNT]
set -eu
fm=$1
GRADUS_MPI_MODULE=$2
folder=$3
count=${4:-100}
export GRADUS_MPI_MODULE
if ! command -v mpirun >/dev/null || [ ! -f "$GRADUS_MPI_MODULE" ]; then
  echo "skipped: there is no mpirun, or the module gradus_mpi is not built"
  exit 77
fi
# shellcheck source=tests/cluster/begin.sh
. "$(cd "$(dirname "$0")" && pwd)/begin.sh"
train="train ratings.csv --epochs 40 --patience 0 --threads 1 --batch 64 --pieces 8 --factors 4 --checkpoint-every 1"
random() { od -An -N2 -tu2 /dev/urandom | tr -d ' '; }
# $train is a list of words.
# shellcheck disable=SC2086
"$fm" $train --model whole >out
killed=0
slowest=0
resume=
while [ $killed -lt "$count" ]; do
  rm -f pid.*
  shared=
  [ $(($(random) % 2)) = 0 ] || shared="--shard-above 0.0005"
  # Each rank says which process it is.
  # shellcheck disable=SC2016,SC2086
  mpirun -n 4 sh -c 'echo $$ >pid.${OMPI_COMM_WORLD_RANK:-$PMI_RANK}; exec "$@"' - "$fm" $train --model m $resume $shared \
    >out 2>err &
  launcher=$!
  # Once it learns: Open MPI 4.1's mpirun may wait for ever for a process that is killed while MPI begins.
  while runs $launcher && ! grep -q 'train mse' out; do sleep 0.05; done
  sleep $(($(random) % 2)).$(($(random) % 10))
  victim=$(($(random) % 4))
  if runs $launcher && [ -f pid.$victim ] && kill -KILL "$(cat pid.$victim)" 2>/dev/null; then
    killed=$((killed + 1))
    start=$(date +%s)
    while runs $launcher || runs "$(cat pid.0)" || runs "$(cat pid.1)" || runs "$(cat pid.2)" ||
      runs "$(cat pid.3)"; do
      sleep 0.1
      [ $(($(date +%s) - start)) -le 10 ] || { echo "FAILED: ranks go on for 10 s"; exit 1; }
    done
    took=$(($(date +%s) - start))
    [ $took -le $slowest ] || slowest=$took
  fi
  wait $launcher || true
  launcher=
  ! grep -qE 'damaged|IoError|No such file' err || { echo "FAILED: a file is torn"; cat err; exit 1; }
  if [ -f m ]; then
    cmp whole m || { echo "FAILED: not the bits of a training that was not killed"; exit 1; }
    rm m
  fi
  resume=
  [ ! -f m.checkpoint ] || resume=--resume
done
# shellcheck disable=SC2086
"$fm" $train --model m $resume >out
cmp whole m || { echo "FAILED: not the bits of a training that was not killed"; exit 1; }
rm -f m.checkpoint*.tmp  # what a killed one was writing, which nobody reads
for left in m.checkpoint*; do
  [ ! -e "$left" ] || { echo "FAILED: $left is left"; exit 1; }
done
echo "$killed killed; the slowest end took $slowest s"
