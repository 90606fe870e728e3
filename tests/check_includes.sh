#!/bin/sh
# Includes point one way: core <- ops <- optim <- models <- examples; tests see all. Every include of the rooms is
# written <gradus/...>, and <gradus/gradus.h>, which holds everything, is for programs, not for the rooms.
set -eu
cd "$(dirname "$0")/.."

wrong=$(
  find core ops optim models examples -name '*.h' -o -name '*.cpp' | sort | xargs grep -n '^ *# *include' /dev/null |
    awk '
      BEGIN { count = split("core ops optim models examples", order); for (i = 1; i <= count; i++) level[order[i]] = i }
      {
        split($0, part, ":")
        where = part[1] ":" part[2]
        room = part[1]
        sub("/.*", "", room)
        text = substr($0, length(where) + 2)
        if (text ~ /include *"/ && room != "examples") {
          print where ": " text ": write it as <gradus/ROOM/FILE.h>"
        } else if (text ~ /<gradus\/gradus\.h>/) {
          if (room != "examples") print where ": " room "/ includes all of gradus; include what is used"
        } else if (text ~ /<gradus\//) {
          target = text
          sub(".*<gradus/", "", target)
          sub("/.*", "", target)
          if (!(target in level)) print where ": there is no room " target "/"
          else if (level[target] > level[room])
            print where ": " room "/ includes " target "/, but includes point one way: core <- ops <- optim <- models <- examples"
        }
      }'
)
[ -z "$wrong" ] && exit
printf '%s\n' "$wrong"
exit 1
