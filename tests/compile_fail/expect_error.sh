#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# expect_error.sh SOURCE COMPILER ARGUMENTS...: passes only if the compiler refuses SOURCE, and says why with the texts of
# all the source's lines "// EXPECT: text".
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
printf '%s\n' "$expected" | {
    status=0
    while read -r text; do
        case $message in
            *"$text"*) ;;
            *)
                echo "$source: refused, but without the text: $text"
                status=1
                ;;
        esac
    done
    [ $status = 0 ] || printf 'The compiler said:\n%s\n' "$message"
    exit $status
}
