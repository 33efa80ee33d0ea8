// SPDX-License-Identifier: Apache-2.0
//! Evidence for qwen3-moe-kv-cache-v1 V1_004: evidence_decode_rate MODEL [THREADS] measures the sustained decode speed
//! of a file of Qwen3-30B-A3B's shape, such as make_model writes with --preset 30b-a3b.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "../../samples/bench/runner.hpp"
#include "claims.hpp"
#include "sluice/sluice.hpp"
#include "write_evidence.hpp"

namespace {

using namespace sluice;

constexpr bench::Test test{bench::Test::Kind::decode, 128, 128};
constexpr std::size_t repetitions = 5;

struct Policies : Qwen3MoeCpu<> {
    using Shape = shape::Qwen3_30B_A3B;  // a file of another shape shows nothing, and is refused
};

Status measure(const std::filesystem::path& model, std::size_t threads) {
    SLUICE_ASSIGN(const gguf::File file, gguf::File::open(model));
    SLUICE_ASSIGN(auto runner,
                  bench::Runner<Policies>::create(file, threads, 128, test.sequences, test.depth + test.tokens,
                                                  LoadOptions{}.interleave_limit, {}));
    SLUICE_ASSIGN(std::vector<double> rates, runner.time(test, repetitions, [](std::size_t i) {
        std::cerr << (i == 0 ? "warming up" : "repetition " + std::to_string(i)) << '\n';
    }));
    for (double& rate : rates) rate = static_cast<double>(test.tokens) / rate;
    return evidence::write({.contract = "qwen3-moe-kv-cache-v1",
                            .version = 1,
                            .falsifier = "V1_004",
                            .text = "A model of Qwen3-30B-A3B's shape decodes at least 9.62 tokens a second, in the "
                                    "slowest of five runs of 128 tokens after 128 others.",
                            .holds = evidence::decodes_fast_enough(rates),
                            .figures = {{"slowest_tokens_per_second", *std::min_element(rates.begin(), rates.end())},
                                        {"tokens_per_second", rates},
                                        {"tokens_a_run", test.tokens},
                                        {"tokens_before", test.depth},
                                        {"bytes_per_token", runner.bytes_per_token()}}},
                           {.program = "evidence_decode_rate", .model = model, .threads = threads});
}

}  // namespace

int main(int argc, char** argv) { return evidence::run_program("evidence_decode_rate", measure, argc, argv); }
