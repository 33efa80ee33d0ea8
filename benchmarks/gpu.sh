#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that needs a GPU, in one go: builds, runs the tests labelled gpu, looks for races and stray accesses with
# compute-sanitizer, and measures a model of Qwen3-30B-A3B's shape. Writes gpu.json and logs to $OUT, or else to
# benchmarks/results/. LLAMA_BENCH may name llama.cpp's llama-bench, built with CUDA, to be measured beside it.
# It ends within nine minutes: what has not come to its end by then is stopped, and gpu.json says so.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/cuda/bin
out=${OUT:-benchmarks/results}
build=build/gpu
mkdir -p "$out" build

if ! gpu=$(nvidia-smi --query-gpu=name,compute_cap,driver_version --format=csv,noheader 2>/dev/null | head -n 1) ||
    [ -z "$gpu" ]; then
    echo "SKIPPED: nvidia-smi lists no GPU"
    exit 77
fi
command -v nvcc >/dev/null || { echo "SKIPPED: nvcc not found"; exit 77; }
started=$(date +%s)
seconds() { echo $(($(date +%s) - started)); }
step() { printf '\n== %s (%s s)\n' "$1" "$(seconds)"; }
# within SECONDS COMMAND...: runs it, but no longer than that, nor than nine minutes from the start of this script.
within() {
    left=$((540 - $(seconds)))
    [ "$1" -lt "$left" ] && left=$1
    shift
    [ "$left" -gt 0 ] || return 124
    timeout "$left" "$@"
}

step "build for $gpu"
capability=$(echo "$gpu" | sed 's/^[^,]*, *\([0-9]*\)\.\([0-9]*\),.*/\1\2/; s/^90$/90a/')
sh samples/tools/need_packages.sh g++ cmake ninja-build libxxhash-dev libeigen3-dev libcli11-dev doctest-dev \
    nlohmann-json3-dev libyaml-cpp-dev
cmake --preset release -B "$build" -DSLUICE_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES="$capability" \
    -DCMAKE_CUDA_FLAGS=--split-compile=0 >"$out/configure.log" 2>&1 || { cat "$out/configure.log"; exit 1; }
within 300 cmake --build "$build" --target gpu_tests gpu_rates make_model -- --quiet
built=$(seconds)

model=$build/30b-a3b.gguf  # 18.55 GB, written while the tests run
writer=
trap '[ -z "$writer" ] || kill "$writer" 2>/dev/null || true' EXIT
if [ ! -f "$model" ]; then
    { within 540 "$build/bin/make_model" --preset 30b-a3b -o "$model.part" && mv "$model.part" "$model"; } >"$out/make_model.log" 2>&1 &
    writer=$!
fi

step "tests"
within 300 ctest --test-dir "$build" --label-regex gpu --output-on-failure --output-log "$out/ctest.log"

# The forward pass and the sampler under each tool. `checks`: for gpu.json, whether each passed, or why it says nothing.
checks=
for tool in memcheck racecheck; do
    step "compute-sanitizer $tool"
    verdict=passed
    if command -v compute-sanitizer >/dev/null; then
        within 90 compute-sanitizer --tool "$tool" --error-exitcode 1 "$build/bin/gpu_tests" \
            --test-case="*every format*,*small vocabulary*" >"$out/$tool.log" 2>&1 || {
            rc=$?
            tail -n 40 "$out/$tool.log"
            [ "$rc" -eq 124 ] || exit "$rc"
            verdict="stopped before its end"
        }
    else
        verdict="compute-sanitizer not found"
    fi
    echo "$verdict"
    checks="$checks \"$tool\": \"$verdict\","
done

step "rates"
[ -z "$writer" ] || wait "$writer" || { cat "$out/make_model.log"; exit 1; }
writer=
for sizes in "512 128 1" "2048 64 1" "128 64 8" "128 64 32"; do
    # shellcheck disable=SC2086  # three words
    within 120 "$build/bin/gpu_rates" "$model" $sizes || {
        rc=$?
        [ "$rc" -eq 124 ] || exit "$rc"
        echo "{\"sizes\": \"$sizes\", \"stopped\": true}"
    }
done >"$out/rates.log"  # not through a pipe, which would hide a failure
cat "$out/rates.log"
{
    printf '{"gpu": "%s", "version": "%s", "date": "%s", "build_seconds": %s,%s "rates": [\n' "$gpu" \
        "$(git describe --always --dirty 2>/dev/null || echo unknown)" "$(date -u +%Y-%m-%d)" "$built" "$checks"
    sed '$!s/$/,/' "$out/rates.log"
    printf ']}\n'
} >"$out/gpu.json"
if [ -n "${LLAMA_BENCH:-}" ]; then
    step "llama.cpp"
    within 120 "$LLAMA_BENCH" -m "$model" -ngl 99 -p 512,2048 -n 128 -o json >"$out/llama_bench.json" ||
        echo "stopped, or failed with $?"
    cat "$out/llama_bench.json"
fi
step "done: $out/gpu.json"
