#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# expect_error.sh SOURCE COMPILER ARGUMENTS...: passes only if the compiler refuses SOURCE, and says why with the text of
# the source's line "// EXPECT: text".
source=$1
shift
expected=$(sed -n 's|^// EXPECT: ||p' "$source")
if [ -z "$expected" ]; then
    echo "$source: no line '// EXPECT: text'"
    exit 1
fi
if message=$("$@" "$source" 2>&1); then
    echo "$source: compiles, but should be refused with: $expected"
    exit 1
fi
case $message in
    *"$expected"*) exit 0 ;;
esac
printf '%s: refused, but without the text: %s\nThe compiler said:\n%s\n' "$source" "$expected" "$message"
exit 1
