#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_if_cpu_has.sh "FEATURES" PROGRAM ARGUMENTS...: runs the program, or skips it where the CPU lacks a feature.
for feature in $1; do
    if ! grep -qw "$feature" /proc/cpuinfo; then
        echo "SKIPPED: this CPU has no $feature"
        exit 77
    fi
done
shift
exec "$@"
