#!/bin/sh
# list-models.sh LIST DIR...
# Writes the name, size and time of every model below DIR... to LIST, unless LIST says so already.
set -eu

list=$1
shift
for dir in "$@"; do
  if [ ! -d "$dir" ]; then
    echo "luaws: the folder of AWS models '$dir' is gone: run scripts/setup, then cmake again" >&2
    exit 1
  fi
done
find -L "$@" -type f \( -name '*.json' -o -name '*.json.gz' \) -printf '%p %s %T@\n' |
  LC_ALL=C sort >"$list.new"
if [ -e "$list" ] && cmp -s "$list" "$list.new"; then
  rm "$list.new"
else
  mv "$list.new" "$list"
fi
