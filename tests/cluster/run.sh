#!/bin/sh
# fm train under mpirun, of 1, 2 and 4 processes: the same model, resumed by other numbers of ranks, stopped by SIGTERM,
# and told in a message where a rank is killed, stopped, or of no use. Exits 77 where there is no mpirun or no module.
#   sh run.sh FM MODULE FOLDER [TABLE_MEMORY]
set -eu
fm=$1
GRADUS_MPI_MODULE=$2
export GRADUS_MPI_MODULE
folder=$3
memory=${4:-}
if ! command -v mpirun >/dev/null; then
  echo "skipped: there is no mpirun (Debian: openmpi-bin)"
  exit 77
fi
if [ ! -f "$GRADUS_MPI_MODULE" ]; then
  echo "skipped: the module gradus_mpi is not built (Debian: libopenmpi-dev)"
  exit 77
fi
# shellcheck source=tests/cluster/begin.sh
. "$(cd "$(dirname "$0")" && pwd)/begin.sh"
stop() {
  echo "FAILED: $1"
  [ $# -lt 2 ] || cat "$2"
  exit 1
}
same() { cmp -s "$1" "$2" || stop "$1 and $2 differ"; }
# Whether no file's name begins so.
none_left() {
  for left in "$1"*; do [ ! -e "$left" ] || return 1; done
}
has() { grep -q -- "$2" "$1" || stop "$1 does not say: $2" "$1"; }

train="train ratings.csv --epochs 3 --patience 0 --threads 1 --batch 256 --pieces 8 --factors 4"

# The same bits, however many ranks there are, and as many pieces without any.
# $train is a list of words.
# shellcheck disable=SC2086
{
  "$fm" $train --model alone >alone.out
  for ranks in 1 2 4; do
    mpirun -n $ranks "$fm" $train --model of$ranks >of$ranks.out 2>of$ranks.err || stop "$ranks ranks" of$ranks.err
    same alone of$ranks
    grep -c '^model: of' of$ranks.out | grep -qx 1 || stop "not one rank alone prints" of$ranks.out
  done
  # The rows of W and V shared out: the same bits, and nothing left beside the model.
  for ranks in 2 4; do
    mpirun -n $ranks "$fm" $train --model shared$ranks --shard-above 0.0005 --checkpoint-every 1 >shared.out \
      2>shared.err || stop "$ranks ranks that share out tables" shared.err
    same alone shared$ranks
    none_left "shared$ranks.checkpoint" || stop "a finished training leaves its checkpoint"
  done
  # Clipped by the norm of all rows, wherever they are: the same ranks learn the same bits.
  for time in 1 2; do
    mpirun -n 4 "$fm" $train --clip-norm 0.01 --test ratings.csv --model clipped$time --shard-above 0.0005 \
      >clipped.out 2>clipped.err || stop "ranks that clip the gradients of tables" clipped.err
    has clipped.out '^test: '
  done
  same clipped1 clipped2
  ! cmp -s clipped1 alone || stop "nothing is clipped"
  "$fm" predict of4 ratings.csv --out predictions >/dev/null || stop "a model of 4 ranks cannot predict"

  # Refusals.
  ! mpirun -n 4 "$fm" train ratings.csv --pieces 3 >refused.out 2>refused.err || stop "more ranks than pieces"
  has refused.err "a session over 4 ranks with 3 pieces; each rank needs one at least"
  ! mpirun -n 2 "$fm" predict of4 ratings.csv >refused.out 2>refused.err || stop "predict by ranks"
  has refused.err "mpirun is for fm train; fm predict runs alone"
  ! mpirun -n 2 "$fm" train ratings.csv --learner als >refused.out 2>refused.err || stop "als by ranks"
  has refused.err "visits one parameter after the other"
  ! mpirun -n 2 "$fm" train nowhere.csv >refused.out 2>refused.err || stop "data that are not there"
  grep -c 'nowhere.csv: ' refused.err | grep -qx 1 || stop "not one rank alone tells what is wrong" refused.err
}

# What a rank needs beside its rows of a table: 4.5 times the rows that its batch names, at most. (Freed memory goes back
# at once here, so that what a process has is what it needs.)
[ -z "$memory" ] || MALLOC_MMAP_THRESHOLD_=4194304 mpirun -n 4 "$memory" 1000000 8192 adagrad 4.5 >memory.out 2>&1 ||
  stop "more memory than that" memory.out

# A long training, in the background; $first is the process of its rank 0, and so on.
long="train ratings.csv --epochs 100000 --patience 0 --threads 1 --batch 256 --pieces 8 --factors 4 --rank-timeout 3"
begin_of() {
  ranks=$1
  shift
  rm -f pid.* out err
  # Each rank says which process it is; the shell that it starts in knows its number.
  # shellcheck disable=SC2016
  mpirun -n "$ranks" sh -c 'echo $$ >pid.${OMPI_COMM_WORLD_RANK:-$PMI_RANK}; exec "$@"' - "$fm" "$@" >out 2>err &
  launcher=$!
  for _ in $(seq 300); do
    if grep -Eq '^ *[0-9]+ +[0-9.]+ ' out 2>/dev/null; then return; fi
    sleep 0.1
  done
  stop "no epoch in 30 s" err
}
begin() { begin_of 4 "$@"; }
# Waits for the end of the launcher and its ranks, at most $1 seconds.
end_within() {
  for _ in $(seq $(($1 * 10))); do
    left=$(for file in pid.*; do ! runs "$(cat "$file")" || echo "$file"; done)
    if [ -z "$left" ] && ! runs $launcher; then
      code=0
      wait $launcher || code=$?
      launcher=
      return
    fi
    sleep 0.1
  done
  stop "not at an end in $1 s: $left" err
}

# SIGTERM to one: all save after the same batch and end with 0; other numbers of ranks go on, to the same bits.
some="train ratings.csv --epochs 60 --patience 0 --threads 1 --batch 64 --pieces 8 --factors 4"
# shellcheck disable=SC2086
"$fm" $some --model whole >/dev/null
# shellcheck disable=SC2086
begin $some --model parts
kill -TERM "$(cat pid.2)"
end_within 10
[ $code = 0 ] || stop "SIGTERM: exit code $code" err
has err "parts.checkpoint is saved; go on with"
# shellcheck disable=SC2086
begin_of 2 $some --model parts --resume
kill -TERM "$(cat pid.1)"
end_within 10
has err "parts.checkpoint is saved; go on with"
more=$(echo "$some" | sed 's/--pieces 8//')
# shellcheck disable=SC2086
"$fm" $more --model parts --resume >out 2>err || stop "one rank does not go on" err
same whole parts

# The same where ranks share out tables: each saves its rows, and others go on.
# shellcheck disable=SC2086
begin $some --model shares --shard-above 0.0005
kill -TERM "$(cat pid.3)"
end_within 10
has err "shares.checkpoint is saved; go on with"
for rank in 0 1 2 3; do [ -f shares.checkpoint.shard-$rank.1 ] || stop "rank $rank has written no rows"; done
# shellcheck disable=SC2086
begin_of 2 $some --model shares --shard-above 0.0005 --resume
kill -TERM "$(cat pid.0)"
end_within 10
[ -f shares.checkpoint.shard-1.2 ] || stop "rank 1 of 2 has written no rows"
[ ! -f shares.checkpoint.shard-3.1 ] || stop "rows of 4 ranks are left beside those of 2"
# shellcheck disable=SC2086
"$fm" $more --model shares --resume >out 2>err || stop "one rank does not go on from shares" err
same whole shares
none_left shares.checkpoint || stop "a finished training leaves its rows"

# A rank that is killed: all end, and it is named.
# shellcheck disable=SC2086
begin $long --model killed
kill -KILL "$(cat pid.1)"
end_within 10
[ $code != 0 ] || stop "a killed rank: exit code 0" err
cat out err >both
grep -Eq 'rank 1 .*signal 9|EXIT CODE: 9' both || stop "the rank that was killed is not named" both

# A rank that stands still: it is named.
# shellcheck disable=SC2086
begin $long --model still
kill -STOP "$(cat pid.3)"
end_within 12
[ $code != 0 ] || stop "a stopped rank: exit code 0" err
has err "has waited 3 s in step '.*' for .*rank 3 (last heard: epoch"
echo "ok"
