#!/bin/sh
# docs/from_tensorflow.md names what Gradus has: every function, class and option in the right column of its tables is
# declared in a header, so that the page does not promise what is gone or called otherwise.
set -eu
cd "$(dirname "$0")/.."

missing=$(
  find core ops optim models -name '*.h' | sort | xargs cat | awk '
    # First the headers: all words of them but for comments. Then the page.
    page == 0 {
      sub(/\/\/.*/, "")
      while (match($0, /[A-Za-z_][A-Za-z_0-9]*/)) {
        word[substr($0, RSTART, RLENGTH)] = 1
        $0 = substr($0, RSTART + RLENGTH)
      }
      next
    }
    /^\| `/ {
      line = $0
      sub(/ \|$/, "", line)
      while (match(line, /[^\\]\| /)) line = substr(line, RSTART + RLENGTH)  # what stands in the last column
      count = split(line, piece, "`")
      for (i = 2; i <= count; i += 2) {
        code = piece[i]
        if (code ~ /^(tf|np)\./ || code ~ /^-/) continue
        while (match(code, /[A-Za-z_][A-Za-z_0-9]*(\(|[ ]=)/)) {
          name = substr(code, RSTART, RLENGTH)
          sub(/(\(|[ ]=)$/, "", name)
          before = RSTART > 1 ? substr(code, RSTART - 1, 1) : ""
          is_option = substr(code, RSTART + RLENGTH - 1, 1) == "="
          code = substr(code, RSTART + RLENGTH)
          if (name == "for" || length(name) == 1 || (is_option && before != ".")) continue
          if (!(name in word)) print "docs/from_tensorflow.md:" FNR ": " name " is in no header"
        }
      }
    }' - page=1 docs/from_tensorflow.md
)
[ -z "$missing" ] && exit
printf '%s\n' "$missing"
exit 1
