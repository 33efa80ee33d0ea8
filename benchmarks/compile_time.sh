#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the seconds that each header takes to compile alone, unoptimised, with g++ (or $CXX), slowest first. The aim for
# sluice/sluice.hpp is under 3 s on a 2-core machine.
set -eu
cd "$(dirname "$0")/../include"
find sluice -name '*.hpp' ! -name 'simd_avx*' | while read -r header; do
    start=$(date +%s%N)
    "${CXX:-g++}" -std=c++20 -O0 -fsyntax-only -I. -include "$header" -x c++ /dev/null || continue
    end=$(date +%s%N)
    printf '%5d.%03d %s\n' $(((end - start) / 1000000000)) $(((end - start) / 1000000 % 1000)) "$header"
done | sort -rn
