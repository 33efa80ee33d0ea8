#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_samples.sh NVCC SOURCE BUILD: whether the samples' kernels compile as a build with SLUICE_CUDA compiles them, in
# the folder BUILD: as far as the syntax of the device's side, which has every template's body but no code for a GPU.
nvcc=$1
source=$2
build=$3
[ -x "$nvcc" ] || { echo "SKIPPED: nvcc not found: the samples' kernels were not compiled"; exit 77; }
mkdir -p "$build"
cmake -S "$source" -B "$build" -G Ninja -DSLUICE_CUDA=ON -DCMAKE_CUDA_COMPILER="$nvcc" -DCMAKE_CUDA_ARCHITECTURES=90a \
    -DSLUICE_BUILD_TESTS=OFF -DSLUICE_BUILD_BENCHMARKS=OFF >"$build/configure.log" 2>&1 ||
    { cat "$build/configure.log"; exit 1; }
ninja -C "$build" -t commands sample_kernels | sed -n '
    s/ --generate-code=[^ ]*/ -arch=compute_90a/
    s/ -MD -MT .* -x cu / -x cu /
    s/ -c \([^ ]*\.cu\) -o .*/ -ptx --fdevice-syntax-only \1 -o \/dev\/null/p' >"$build/commands.sh"
grep . "$build/commands.sh" || { echo "the build has no command for the samples' kernels"; exit 1; }
cd "$build" && exec sh -e commands.sh
