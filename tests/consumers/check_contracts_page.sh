#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_contracts_page.sh SOURCE: the C++ of docs/contracts.md, in one file, does what the page's own command says.
set -eu
page=$1/docs/contracts.md
compile_and_run=$(sed -n 's/^    \(g++ .*\)/\1/p' "$page")
command -v g++ >/dev/null || { echo "skipped: no g++ is here, which the command of $page calls"; exit 77; }
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
awk '/^```cpp$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$page" >"$folder/router_test.cpp"
ln -s "$1/include" "$1/contracts" "$folder"
cd "$folder"
sh -xc "$compile_and_run"
