#!/bin/sh
# No two types of one name in the namespaces of the library and of fm: of functions that both have, as destructors, the linker keeps any one,
# and no compiler says so. (Each may have them in a namespace without a name.)
set -eu
cd "$(dirname "$0")/.."

twice=$(
  find core ops optim models examples/fm -name '*.h' -o -name '*.cpp' | sort |
    ctags -L - --languages=C++ --map-C++=+.h --kinds-C++=csug --fields=K --extras=+q -o - |
    awk -F '\t' '
      /^(gradus|fm)::/ && !/__anon/ && !(($1, $2) in seen) {
        seen[$1, $2] = 1
        if (++count[$1] == 2) names[++found] = $1
        files[$1] = count[$1] == 1 ? $2 : files[$1] " and " $2
      }
      END { for (i = 1; i <= found; i++) print names[i] ": " files[names[i]] }'
)
[ -z "$twice" ] || {
  printf 'two types of one name:\n%s\n' "$twice"
  exit 1
}
