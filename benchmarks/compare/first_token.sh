#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares how long programs take from their start to the end of a first token, and the memory that they hold then, in
# turns, so that what else the machine does hits all of them alike.
#
#   first_token.sh [-r ROUNDS] [-j FILE] MODEL COMMAND...
#
# Each COMMAND is one argument, a line for the shell, which generates one token and ends, such as
#   'build/release/bin/generate -m MODEL -p Hello -n 1 -c 512'
#   'llama-completion -m MODEL -p Hello -n 1 -c 512 -no-cnv --no-warmup'
# The file is read once before each run, so that it is in the page cache if it fits. Prints the medians, how many times
# as long each takes as the first command, and the largest resident memory, the mapped file included. With -j the same
# goes to FILE as JSON.
set -eu

rounds=5 json=/dev/null
while getopts r:j: flag; do
    case $flag in
        r) rounds=$OPTARG ;;
        j) json=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ $# -lt 2 ]; then
    sed -n 's/^#  *first_token.sh/usage: first_token.sh/p' "$0" >&2
    exit 2
fi
sh "$(dirname "$0")/../../samples/tools/need_packages.sh" time
model=$1
shift
times=$(mktemp) one=$(mktemp)
trap 'rm -f "$times" "$one"' EXIT

load=$(cut -d ' ' -f 1 /proc/loadavg)
for _ in $(seq "$rounds"); do
    i=0
    for command in "$@"; do
        i=$((i + 1))
        cat "$model" >/dev/null
        /usr/bin/time -f '%e %M' -o "$one" sh -c "exec $command" >/dev/null 2>&1 </dev/null ||
            { echo "first_token.sh: failed: $command" >&2; exit 1; }
        echo "$i $(tail -n 1 "$one") $command" >>"$times"
    done
done
sort -k1,1n -k2,2g "$times" | awk -v json="$json" -v load="$load" -v date="$(date -u +%Y-%m-%d)" -v model="$(basename "$model")" '
    {
        n = $1; sorted[n, ++count[n]] = $2
        if ($3 > memory[n]) memory[n] = $3
        command[n] = $0; sub(/^[^ ]* [^ ]* [^ ]* /, "", command[n])
        if (n > most) most = n
    }
    function median(n) { return (sorted[n, int((count[n] + 1) / 2)] + sorted[n, int(count[n] / 2) + 1]) / 2 }
    function quoted(s) { gsub(/["\\]/, "\\\\&", s); return "\"" s "\"" }
    END {
        printf "{\"date\": \"%s\", \"model\": %s, \"load_average_before\": %s, \"results\": [\n", date, quoted(model), load >json
        for (n = 1; n <= most; ++n) {
            printf "%8.2f s (%.2f to %.2f)  %.2fx  %7.1f MB  %s\n", median(n), sorted[n, 1], sorted[n, count[n]],
                   median(n) / median(1), memory[n] * 1024 / 1e6, command[n]
            printf "  {\"command\": %s, \"median_s\": %.2f, \"least_s\": %.2f, \"most_s\": %.2f, \"peak_rss_bytes\": %.0f}%s\n",
                   quoted(command[n]), median(n), sorted[n, 1], sorted[n, count[n]], memory[n] * 1024,
                   n < most ? "," : "" >json
        }
        print "]}" >json
    }'
