#!/bin/sh
# Includes point one way: core <- ops <- optim <- models <- examples; tests see all. Within core likewise: its own files
# <- tensor <- io <- graph <- kernel <- plan <- cluster <- run; core/device, which is beside run, shows the others no
# more than what a device is. Every include of the rooms is written <gradus/...>, and <gradus/gradus.h>, which holds
# everything, is for programs, not for the rooms. What lies in a folder detail/ is for the .cpp files of its room alone.
set -eu
cd "$(dirname "$0")/.."

wrong=$(
  find core ops optim models examples -name '*.h' -o -name '*.cpp' | sort | xargs grep -n '^ *# *include' /dev/null |
    awk '
      BEGIN {
        count = split("core ops optim models examples", order)
        for (i = 1; i <= count; i++) level[order[i]] = i
        count = split("tensor io graph kernel plan cluster run", shelves)
        for (i = 1; i <= count; i++) shelf_level[shelves[i]] = i
        shelf_level["device"] = count
      }
      # The shelf of a path in core: its folder, "" for what stands in core itself.
      function shelf_of(path, parts) { return split(path, parts, "/") > 2 ? parts[2] : "" }
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
          sub(">.*", "", target)
          if (room == "core" && target ~ /^core\// && target !~ /^core\/device\/(accelerator|device)\.h$/ &&
              shelf_level[shelf_of(target)] > shelf_level[shelf_of(part[1])])
            print where ": includes " target ", but in core includes point one way: tensor <- io <- graph <- kernel <- plan <- cluster <- run"
          internal = target ~ /\/detail\// && (part[1] ~ /\.h$/ && part[1] !~ /\/detail\//)
          of_others = target ~ /\/detail\//
          sub("/.*", "", target)
          if (internal || of_others && target != room)
            print where ": " text ": detail/ is for the .cpp files of " target "/ alone"
          if (!(target in level)) print where ": there is no room " target "/"
          else if (level[target] > level[room])
            print where ": " room "/ includes " target "/, but includes point one way: core <- ops <- optim <- models <- examples"
        }
      }'
)
[ -z "$wrong" ] && exit
printf '%s\n' "$wrong"
exit 1
