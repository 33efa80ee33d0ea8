#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_kernels.sh NVCC SOURCE ARGUMENTS...: compiles SOURCE for every generation of GPUs that is supported, without
# warnings, and prints what each kernel takes of a multiprocessor. Fails if one has a stack frame or spills registers, or
# takes more than 128 of them: then four blocks of 128 threads fit. The host's half, -fatbin leaves out: half the time.
nvcc=$1
source=$2
shift 2
[ -x "$nvcc" ] || { echo "SKIPPED: nvcc not found: the kernels were not compiled for GPUs"; exit 77; }
object=$(mktemp)
report=$(mktemp)
trap 'rm -f "$object" "$report"' EXIT
"$nvcc" "$@" -Werror all-warnings -Xptxas -v \
    -gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_89,code=sm_89 \
    -gencode=arch=compute_90a,code=sm_90a -gencode=arch=compute_100,code=sm_100 \
    -fatbin "$source" -o "$object" >"$report" 2>&1 || { cat "$report"; exit 1; }
c++filt <"$report" | awk -v most=128 '
    /Compiling entry function/ {
        target = $NF; gsub(/\047/, "", target)
        name = $0
        sub(/.*run_on_gpu</, "", name); sub(/ *>\(.*/, "", name); gsub(/sluice::|cuda::|quant::/, "", name)
    }
    /bytes stack frame/ { stack = $1; spilled = $5 + $9 }
    /Used [0-9]+ registers/ {
        match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5) + 0
        shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH - 11) + 0 : 0
        bad = stack + spilled > 0 || registers > most
        printf "%s%-7s %3d registers %6d bytes shared, stack %d, spilled %d: %s\n", bad ? "TOO MUCH: " : "",
               target, registers, shared, stack, spilled, name
        count++; failed += bad
    }
    END { printf "%d kernels, %d over the budget\n", count, failed; exit count == 0 || failed > 0 }'
