#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# list_cases.sh PROGRAM PROPERTIES FILE: writes a ctest file in which every doctest case of PROGRAM is a test.
# doctest's own CMake module does this too, but falls over an unpaired bracket in a name such as "all of [0, 1)".
set -eu
cases=$("$1" --list-test-cases)
printf '%s\n' "$cases" | awk -v program="$1" -v properties="$2" '
    /^\[doctest\]/ || /^=+$/ { next }
    {
        filter = $0
        gsub(/,/, "\\,", filter)  # a comma separates filters
        printf "add_test([==[%s]==] [==[%s]==] [==[--test-case=%s]==])\n", $0, program, filter
        printf "set_tests_properties([==[%s]==] PROPERTIES %s)\n", $0, properties
    }' >"$3"
