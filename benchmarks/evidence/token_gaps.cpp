// SPDX-License-Identifier: Apache-2.0
//! Evidence for qwen3-moe-streaming-sse-v1 V1_003: evidence_token_gaps MODEL [THREADS] streams 33 tokens of a file of
//! Qwen3-30B-A3B's shape, and takes the time at which each reaches the sink.
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <vector>

#include "conclusions.hpp"
#include "sluice/sluice.hpp"
#include "write_evidence.hpp"

namespace {

using namespace sluice;
using Clock = std::chrono::steady_clock;

constexpr std::size_t gaps = 32;

struct Policies : Qwen3MoeCpu<> {
    using Shape = shape::Qwen3_30B_A3B;  // a file of another shape shows nothing, and is refused
};

Status measure(const std::filesystem::path& model, std::size_t threads) {
    SLUICE_ASSIGN(auto pipeline, Pipeline<Policies>::load(model, {.context = 256, .threads = threads}));
    SLUICE_ASSIGN(auto sampler, make_standard_sampler({}));
    std::vector<Clock::time_point> arrivals;
    CallbackSink sink([&](const TokenEvent&) { arrivals.push_back(Clock::now()); });
    const GenerateOptions options{.max_tokens = gaps + 1, .ignore_stop_tokens = true};
    SLUICE_TRY(pipeline.generate("Once upon a time", options, sampler, sink));
    std::vector<double> milliseconds;
    for (std::size_t i = 1; i < arrivals.size(); ++i) {
        milliseconds.push_back(std::chrono::duration<double, std::milli>(arrivals[i] - arrivals[i - 1]).count());
    }
    const auto [holds, figures] = evidence::conclude("token_gaps", {{"gaps_ms", milliseconds}});
    return evidence::write({.contract = "qwen3-moe-streaming-sse-v1",
                            .version = 1,
                            .falsifier = "V1_003",
                            .text = "Of 33 tokens of a model of Qwen3-30B-A3B's shape, the median gap is below 500 ms.",
                            .holds = holds,
                            .figures = figures},
                           {.program = "evidence_token_gaps", .model = model, .threads = threads});
}

}  // namespace

int main(int argc, char** argv) { return evidence::run_program("evidence_token_gaps", measure, argc, argv); }
