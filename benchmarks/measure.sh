#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds and runs roofline and the programs of benchmarks/micro, or only those that are named (`measure.sh roofline
# router`), and writes what each measures to NAME.json in benchmarks/results/, or in $OUT: medians of five repetitions,
# with the load before them. Leave the machine alone meanwhile.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build/release}
out=${OUT:-benchmarks/results}
measured=$(mktemp)
trap 'rm -f "$measured"' EXIT
mkdir -p "$out"

sh samples/tools/need_packages.sh g++ cmake ninja-build jq libbenchmark-dev libxxhash-dev
[ -f "$build/build.ninja" ] || cmake --preset release -B "$build" >/dev/null
# shellcheck disable=SC2046  # one word a program
[ $# -gt 0 ] || set -- roofline $(find benchmarks/micro -name '*_bench.cpp' -exec basename {} _bench.cpp \; | sort)

for name in "$@"; do
    program=${name}_bench
    [ "$name" != roofline ] || program=roofline
    cmake --build "$build" --target "$program" -- --quiet
    printf '%s\n' "$name" >&2
    if [ "$name" = roofline ]; then
        "$build/bin/roofline" >"$out/roofline.json"
        continue
    fi
    flags="--benchmark_repetitions=5 --benchmark_report_aggregates_only=true"
    # shellcheck disable=SC2086  # two words
    "$build/bin/$program" $flags --benchmark_format=json >"$measured"
    jq --arg program "$program" --arg command "build/release/bin/$program $flags" \
        --arg version "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
        --arg cpu "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)" '
            {
                program: $program, command: $command, date: .context.date[:10], git_version: $version,
                machine: {cpu: $cpu, processors: .context.num_cpus, mhz: .context.mhz_per_cpu,
                          load_average: .context.load_avg},
                benchmarks: [.benchmarks[] | select(.aggregate_name == "median") |
                    {name: .run_name, real_time, cpu_time, unit: .time_unit} +
                    with_entries(select(.key | test("/s$|_per_second$|/token$"))) |
                    map_values(if type == "number" then . * 100 | round / 100 else . end)]
            }' "$measured" >"$out/$name.json"
done
