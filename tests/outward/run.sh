#!/bin/sh
# Writes files of a kind and has another program read them. Exits with 77 where that program is not installed.
# usage: run.sh models|events|reports|schema|walkthroughs PROGRAM FOLDER
set -eu
kind=$1 program=$2 folder=$3/$1
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$folder"
mkdir -p "$folder"

# GRADUS_PYTHON, or what .ci/run made, or the system's.
python=${GRADUS_PYTHON:-$here/../../build/python/bin/python}
command -v "$python" >/dev/null || python=python3
if [ "$kind" != reports ] && ! command -v "$python" >/dev/null; then
  echo "skipped: there is no python3"
  exit 77
fi

case $kind in
  models)
    "$program" models "$folder" >"$folder.log"
    "$python" "$here/check_onnx.py" "$folder"
    ;;
  events)
    path=$("$program" events "$folder")
    "$python" "$here/check_events.py" "$path"
    ;;
  reports)
    "$program" reports "$folder"
    sh "$here/browse.sh" "$folder"
    ;;
  schema)
    "$program" walkthroughs "$folder"
    "$python" -c 'import jsonschema' 2>/dev/null || python=python3  # the system's may have it
    "$python" "$here/check_schema.py" "$folder"
    ;;
  walkthroughs)
    "$program" walkthroughs "$folder"
    "$python" "$here/walkthrough.py" "$folder"
    ;;
esac
