#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tidy.sh CLANG_TIDY BUILD FILE...: clang-tidy on each file, as many at once as there are processors.
set -eu
tidy=$1 build=$2
shift 2
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 "$tidy" --quiet -p "$build"
