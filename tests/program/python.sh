#!/bin/sh
# Trains a model and has Python read it. Exits with 77 where Python or its safetensors package is not there.
# usage: python.sh FM FOLDER
set -eu
fm=$1 folder=$2
here=$(cd "$(dirname "$0")" && pwd)
python=${GRADUS_PYTHON:-$here/../../build/python/bin/python}
command -v "$python" >/dev/null || python=python3
if ! command -v "$python" >/dev/null; then
  echo "skipped: there is no python3"
  exit 77
fi
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
awk 'BEGIN {
  print "user,item,age,rating"
  for (i = 0; i < 3000; i++) {
    user = (i * 7) % 23; item = (i * i + 3 * i) % 31
    printf "u%d,i%d,%g,%g\n", user, item, user / 10, 3 + sin(user) + cos(item) + sin(user + 1) * cos(item + 2)
  }
}' >ratings.csv
"$fm" train ratings.csv --model model --rate 0.02 --quiet
"$fm" export model --onnx model.onnx
"$fm" predict model ratings.csv --out predictions.txt
"$python" "$here/check_model.py" model model.onnx ratings.csv predictions.txt
