#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the sample `generate` and runs it with the arguments given; with none, the embedded model tells a story.
# `quickstart.sh serve` does the same with the server: it prints the address at which it answers.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
build=$source/build/quickstart
mkdir -p "$build"

program=generate
more=
if [ "${1:-}" = serve ]; then
    shift
    program=serve
    more="nlohmann-json3-dev libcpp-httplib-dev pkg-config"
fi

# shellcheck disable=SC2086  # several packages
sh "$source/samples/tools/need_packages.sh" g++ cmake ninja-build libxxhash-dev libeigen3-dev libcli11-dev $more
{
    cmake -S "$source" -B "$build" -G Ninja -DSLUICE_BUILD_TESTS=OFF -DSLUICE_BUILD_BENCHMARKS=OFF
    cmake --build "$build" --target "$program"
} >"$build/build.log" 2>&1 || { cat "$build/build.log" >&2; exit 1; }

exec "$build/bin/$program" "$@"
