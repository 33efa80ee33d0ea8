#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails with clang-format's remarks on the project's C++ files. $1: clang-format 14, whose rules the files follow.
case $("$1" --version 2>/dev/null) in
    *" version 14."*) ;;
    *) echo "SKIPPED: clang-format 14 not found"; exit 77 ;;
esac
find . -name build -prune -o \( -name '*.hpp' -o -name '*.cpp' -o -name '*.cuh' -o -name '*.cu' \) \
    -exec "$1" --dry-run --Werror {} +
