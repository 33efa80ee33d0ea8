#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_gpu_tests.sh [PROGRAM]: runs the tests that need a GPU, where they were built.
[ -n "$1" ] || { echo "SKIPPED: built without SLUICE_CUDA: nothing ran on a GPU"; exit 77; }
exec "$1"
