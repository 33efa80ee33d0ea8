#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_readme.sh README PROGRAM: the first C++ block of the README is the program, less the comment lines at its top.
shown=$(awk '/^```cpp$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$1")
[ "$shown" = "$(sed '/^\/\//d' "$2")" ] && exit 0
echo "The first \`\`\`cpp block of $1 is not $2; it is:"
printf '%s\n' "$shown"
exit 1
