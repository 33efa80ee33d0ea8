#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares the speed of several benchmark programs on one model, in turns, so that what else the machine does hits all
# of them alike.
#
#   run.sh -m MODEL [-t THREADS] [-p N] [-n N] [-d N] [-r ROUNDS] [-j FILE] BENCH PEER...
#
# BENCH is Sluice's `bench`; each PEER is a program with the same flags and JSON keys: the llama-bench of llama.cpp or of
# ik_llama.cpp. Prints, for a prompt of -p tokens and for -n generated tokens (0: no such test) after -d others, each
# program's median tokens per second over the rounds, the least and the most, and how many times as fast BENCH is.
# With -j the same goes to FILE as JSON, with the rates of all rounds and the facts of the machine.
set -eu

threads=$(nproc) prompt=512 generate=128 depth=0 rounds=5 model='' json=/dev/null
while getopts m:t:p:n:d:r:j: flag; do
    case $flag in
        m) model=$OPTARG ;;
        t) threads=$OPTARG ;;
        p) prompt=$OPTARG ;;
        n) generate=$OPTARG ;;
        d) depth=$OPTARG ;;
        r) rounds=$OPTARG ;;
        j) json=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ -z "$model" ] || [ $# -lt 2 ]; then
    sed -n 's/^#  *run.sh/usage: run.sh/p' "$0" >&2
    exit 2
fi

rates=$(mktemp) records=$(mktemp) versions=$(mktemp) one=$(mktemp)
trap 'rm -f "$rates" "$records" "$versions" "$one"' EXIT

# rate PROGRAM PROMPT GENERATE: tokens per second of one run, with the file in the page cache if it fits. ik_llama.cpp
# has no -d, but -gp: generated tokens behind a prompt that is not timed.
rate() {
    program=$1
    if [ "$depth" -eq 0 ]; then
        set -- -p "$2" -n "$3"
    elif knows_depth "$program"; then
        set -- -p "$2" -n "$3" -d "$depth"
    else
        set -- -p 0 -n 0 -gp "$depth,$3"
    fi
    cat "$model" >/dev/null
    "$program" -m "$model" -t "$threads" -r 1 -o json "$@" >"$one" || return
    version=$(sed -n 's/.*"build_\(version\|commit\)": *"\([^"]*\)".*/\2/p' "$one" | head -n 1)
    printf '%s %s\n' "${version:-unknown}" "$program" >>"$versions"
    sed -n 's/.*"avg_ts": *\([0-9.e+]*\).*/\1/p' "$one" | grep .
}

knows_depth() { "$1" --help 2>&1 | grep -q -e --n-depth; }

# turns NAME PROMPT GENERATE PROGRAM...: runs them in turns, prints one line each, and adds a JSON object to $records.
turns() {
    name=$1 tokens="$2 $3" bench=$4
    [ "$depth" -eq 0 ] || name="$name @ d$depth"
    shift 3
    : >"$rates"
    for round in $(seq "$rounds"); do
        for program in "$@"; do
            if [ "$depth" -gt 0 ] && [ "${tokens% 0}" != "$tokens" ] && ! knows_depth "$program"; then
                [ "$round" -gt 1 ] || echo "run.sh: $program has no $name: left out" >&2
                continue
            fi
            # shellcheck disable=SC2086  # two words
            speed=$(rate "$program" $tokens) || { echo "run.sh: $program failed" >&2; exit 1; }
            echo "$speed $program" >>"$rates"
        done
    done
    sort -g "$rates" | awk -v name="$name" -v bench="$bench" -v records="$records" -v versions="$versions" '
        BEGIN {
            while ((getline line <versions) > 0) {
                space = index(line, " ")
                version[substr(line, space + 1)] = substr(line, 1, space - 1)
            }
        }
        {
            program = substr($0, index($0, " ") + 1)
            sorted[program, ++count[program]] = $1
            list[program] = list[program] (count[program] > 1 ? ", " : "") $1
        }
        function median(p) { return (sorted[p, int((count[p] + 1) / 2)] + sorted[p, int(count[p] / 2) + 1]) / 2 }
        function quoted(s) { gsub(/["\\]/, "\\\\&", s); return "\"" s "\"" }
        END {
            for (p in count) {
                ratio = median(bench) / median(p)
                printf "%-14s %10.2f tok/s (%.2f to %.2f)  bench is %.2fx  %s\n", name, median(p), sorted[p, 1],
                       sorted[p, count[p]], ratio, p
                printf "{\"test\": %s, \"program\": %s, \"version\": %s, ", quoted(name), quoted(p),
                       quoted(version[p]) >>records
                printf "\"median_ts\": %.2f, \"sorted_ts\": [%s], \"bench_is_times\": %.4f}\n", median(p), list[p],
                       ratio >>records
            }
        }'
}

load=$(cut -d ' ' -f 1 /proc/loadavg)
[ "$prompt" -eq 0 ] || turns "pp$prompt" "$prompt" 0 "$@"
[ "$generate" -eq 0 ] || turns "tg$generate" 0 "$generate" "$@"
{
    printf '{"date": "%s", "cpu": "%s", "threads": %s, "load_average_before": %s, ' "$(date -u +%Y-%m-%d)" \
        "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)" "$threads" "$load"
    printf '"model": "%s", "rounds": %s, "results": [\n' "$(basename "$model")" "$rounds"
    sed 's/^/  /; $!s/$/,/' "$records"
    printf ']}\n'
} >"$json"
