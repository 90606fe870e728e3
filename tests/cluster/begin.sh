# What the scripts of mpirun here begin with; they source it with $folder set, where they work from then on. POSIX sh.
# shellcheck disable=SC2154 # folder is theirs
# Open MPI wants to be told that this is a test on few cores, and by whom.
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
OMPI_MCA_rmaps_base_oversubscribe=1
OMPI_MCA_hwloc_base_binding_policy=none
OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe \
  OMPI_MCA_hwloc_base_binding_policy OMPI_MCA_btl_vader_single_copy_mechanism

launcher=
trap '[ -z "$launcher" ] || kill "$launcher" 2>/dev/null || true' EXIT
# Whether a process is there, and not just waits to be counted as ended.
runs() { ps -o stat= -p "$1" | grep -qv '^Z'; }

rm -rf "$folder"
mkdir -p "$folder"
cd "$folder" || exit 1
awk 'BEGIN {
  srand(3)
  print "user,item,rating"
  for (i = 0; i < 3000; i++) printf "u%d,i%d,%d\n", rand() * 60, rand() * 90, 1 + rand() * 5
}' >ratings.csv
