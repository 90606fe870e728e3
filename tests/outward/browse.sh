#!/bin/sh
# Opens each page of a folder in a browser without a window: it must say what it should and the console nothing. Exits
# with 77 where there is no Chromium. usage: browse.sh FOLDER
set -eu
folder=$1
for name in chromium chromium-browser google-chrome; do
  browser=$(command -v $name) && break
done
[ -n "${browser:-}" ] || {
  echo "skipped: there is no Chromium"
  exit 77
}

# open NAME: the page as the browser has it in NAME.dom, what it wrote to the console in NAME.console.
open() {
  "$browser" --headless --no-sandbox --disable-gpu --disable-extensions --no-first-run --incognito \
    --user-data-dir="$folder/profile" --enable-logging=stderr --v=0 --virtual-time-budget=2000 \
    --dump-dom "file://$folder/$1.html" >"$folder/$1.dom" 2>"$folder/$1.log" || {
    cat "$folder/$1.log"
    exit 1
  }
  grep CONSOLE "$folder/$1.log" >"$folder/$1.console" || true
}

failed=0
fault() {
  echo "$1.html: $2"
  failed=1
}

# check NAME PICTURES TEXT...: these texts, so many pictures, no script and a silent console.
check() {
  page=$1 pictures=$2
  shift 2
  open "$page"
  [ ! -s "$folder/$page.console" ] || fault "$page" "the console says $(cat "$folder/$page.console")"
  ! grep -q '<script' "$folder/$page.dom" || fault "$page" "there is a script"
  found=$(grep -c '<svg' "$folder/$page.dom") || true
  [ "$found" = "$pictures" ] || fault "$page" "there are $found pictures; $pictures are expected"
  for text in "$@"; do
    grep -qF -- "$text" "$folder/$page.dom" || fault "$page" "it does not say $text"
  done
}

# A page that complains is seen to.
echo '<p>x</p><script>console.error("seen")</script><img src="missing.png">' >"$folder/complains.html"
open complains
grep -q seen "$folder/complains.console" || fault complains "the console's errors are not seen"

check regression 5 'sales.csv' 'validation RMSE' 'best: epoch' 'Actual against predicted' 'standard deviation' \
  'column 9' 'matmul' '[12, 4]' 'y_hat = add' '--optimizer' 'adam' 'fm train sales.csv' '1,500 validation rows' \
  'non-zeros' '54,000' 'Made by gradus'
check binary 5 'clicks.csv' 'Do the probabilities hold?' '95 % intervals' 'positive' 'sigmoid'
check stars 4 'user=13 &lt;b&gt;&amp;"quoted"&lt;/b&gt;' 'not utf-8: ��' '日本語' '&lt;script&gt;' \
  'training loss (logarithmic)' 'best: epoch 530, 0.9308' '20,000 rows'
check one 4 'One epoch &amp; one row' 'best: epoch 1, 0.25' '1 row<'
check nothing 0 'There are no epochs to draw.' 'There are no rows to compare with'
[ "$failed" = 0 ] && echo "5 pages, by $("$browser" --version 2>/dev/null)"
exit "$failed"
