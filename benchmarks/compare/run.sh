#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares the speed of several benchmark programs on one model, in turns, so that what else the machine does hits all
# of them alike.
#
#   run.sh -m MODEL [-t THREADS] [-p N] [-n N] [-d N] [-r ROUNDS] BENCH PEER...
#
# BENCH is Sluice's `bench`; each PEER is a program with the same flags and JSON keys, such as llama.cpp's llama-bench.
# Prints, for a prompt of -p tokens and for -n generated tokens (0: no such test) after -d others, each program's median
# tokens per second over the rounds, the least and the most, and how many times as fast BENCH is.
set -eu

threads=$(nproc) prompt=512 generate=128 depth=0 rounds=5 model=
while getopts m:t:p:n:d:r: flag; do
    case $flag in
        m) model=$OPTARG ;;
        t) threads=$OPTARG ;;
        p) prompt=$OPTARG ;;
        n) generate=$OPTARG ;;
        d) depth=$OPTARG ;;
        r) rounds=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ -z "$model" ] || [ $# -lt 2 ]; then
    sed -n 's/^#  *run.sh/usage: run.sh/p' "$0" >&2
    exit 2
fi

rates=$(mktemp)
trap 'rm -f "$rates"' EXIT

# rate PROGRAM FLAGS...: tokens per second of one run, with the file in the page cache if it fits.
rate() {
    cat "$model" >/dev/null
    "$@" -m "$model" -t "$threads" -d "$depth" -r 1 -o json | sed -n 's/.*"avg_ts": *\([0-9.e+]*\).*/\1/p' | grep .
}

# turns NAME PROMPT GENERATE PROGRAM...: runs them in turns and prints one line each.
turns() {
    name=$1 tokens="-p $2 -n $3"
    shift 3
    : >"$rates"
    for round in $(seq "$rounds"); do
        for program in "$@"; do
            # shellcheck disable=SC2086  # four words
            speed=$(rate "$program" $tokens) || { echo "run.sh: $program failed" >&2; exit 1; }
            echo "$speed $program" >>"$rates"
        done
    done
    sort -g "$rates" | awk -v name="$name" -v bench="$1" '
        { program = substr($0, index($0, " ") + 1); sorted[program, ++count[program]] = $1 }
        function median(p) { return (sorted[p, int((count[p] + 1) / 2)] + sorted[p, int(count[p] / 2) + 1]) / 2 }
        END {
            for (p in count)
                printf "%-8s %10.2f tok/s (%.2f to %.2f)  bench is %.2fx  %s\n", name, median(p), sorted[p, 1],
                       sorted[p, count[p]], median(bench) / median(p), p
        }'
}

[ "$prompt" -eq 0 ] || turns "pp$prompt" "$prompt" 0 "$@"
[ "$generate" -eq 0 ] || turns "tg$generate" 0 "$generate" "$@"
