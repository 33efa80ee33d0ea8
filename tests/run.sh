#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds everything and runs the tests; with --all first, also those that take long to compile: each header alone, the
# kernels for every generation of GPUs, and the same bits with the other of g++ and clang++. Other arguments go to ctest:
# `sh tests/run.sh -L unit`, `sh tests/run.sh -R gguf`.
set -eu
cd "$(dirname "$0")/.."

compilers=some
if [ "${1-}" = --all ]; then
    shift
    compilers=all
    sh samples/tools/need_packages.sh clang libc++-dev libc++abi-dev
fi
sh samples/tools/need_packages.sh g++ clang-format cmake ninja-build libxxhash-dev libeigen3-dev libcli11-dev \
    doctest-dev nlohmann-json3-dev libyaml-cpp-dev libcpp-httplib-dev pkg-config
mkdir -p build
cmake --preset release -DSLUICE_COMPILER_TESTS="$compilers" >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
echo "Building in build/release"
cmake --build --preset release -- --quiet

set -- --preset release --parallel "$(nproc)" "$@"
status=0
if [ -t 1 ]; then
    ctest "$@" --progress || status=$?
else
    ctest "$@" --quiet --output-log build/ctest.log || status=$?
    grep -Ev '^ +Start |\.\.   Passed  |^\[[A-Z_]*\] *$' build/ctest.log
fi
grep -h '^SKIPPED: ' build/release/Testing/Temporary/LastTest.log | sort | uniq -c
exit "$status"
