// SPDX-License-Identifier: Apache-2.0
//! Engines of a tiny model for tests: one that runs freely, and one whose forward passes wait for the test.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sluice/contracts/fakes.hpp"
#include "sluice/cpu/executor.hpp"
#include "sluice/server/engine.hpp"
#include "sluice/sluice.hpp"
#include "support/tiny_model.hpp"
#include "unit/io/files.hpp"

namespace sluice::test {

using namespace std::chrono_literals;

using GatedExecutor = contracts::GatedExecutor<cpu::SerialExecutor>;
inline contracts::Gate& gate = GatedExecutor::gate;

//! Lets a case that fails end: declared after its engine, which waits for the gate in its destructor.
struct OpenAtEnd {
    ~OpenAtEnd() { gate.open(); }
};

//! StandardSampler, but the token at a position can be an error, or an exception.
struct FragileSampler {
    StandardSampler sampler;
    std::optional<std::uint32_t> breaks_at{}, throws_at{};

    Expected<Token> sample(std::span<float> logits, const SampleContext& context) {
        if (context.position == throws_at) throw std::runtime_error("no such luck");
        if (context.position == breaks_at) logits[3] = std::numeric_limits<float>::quiet_NaN();
        return sampler.sample(logits, context);
    }
};

struct Free : Qwen3MoeCpu<> {
    using Executor = cpu::SerialExecutor;
    using Sampler = FragileSampler;
};
struct Gated : Free {
    using Executor = GatedExecutor;
};

template <class P>
std::unique_ptr<server::Engine<P>> engine_of(std::size_t slots, server::EngineOptions options = {},
                                             std::size_t batch = 16) {
    const TempFolder folder;
    write_file(folder / "tiny.gguf", odd_model.draft().bytes());
    auto model = LoadedModel<P>::load(folder / "tiny.gguf", {.context = 128, .batch = batch}, slots);
    REQUIRE_MESSAGE(model.ok(), model.status().message());
    return std::make_unique<server::Engine<P>>(std::move(*model), options);
}

inline std::vector<Token> prompt_of(std::size_t size, std::uint32_t seed) {
    std::vector<Token> prompt;
    for (std::size_t i = 0; i < size; ++i) prompt.push_back(static_cast<Token>((seed * 31 + i * 7) % 200));
    return prompt;
}

template <class P>
typename server::Engine<P>::Request request_of(std::vector<Token> prompt, GenerateOptions options,
                                               SamplingParams sampling = {.temperature = 1}) {
    auto sampler = make_standard_sampler(sampling);
    REQUIRE(sampler.ok());
    options.ignore_stop_tokens = true;
    return {.prompt = std::move(prompt), .options = std::move(options), .sampler = {std::move(*sampler)}};
}

using Channel = std::shared_ptr<ChannelSink>;

template <class P>
Channel submit(server::Engine<P>& engine, typename server::Engine<P>::Request request) {
    auto channel = engine.submit(std::move(request));
    REQUIRE_MESSAGE(channel.ok(), channel.status().message());
    return *channel;
}

struct Heard {
    std::vector<Token> tokens{};
    std::string text{};
    std::optional<Expected<GenerationResult>> outcome{};
};

inline Heard read_all(ChannelSink& channel) {
    Heard heard;
    while (channel.wait_for(60s)) {
        const auto event = channel.pop();
        if (!event) break;
        heard.tokens.push_back(event->id);
        heard.text += event->text;
    }
    heard.outcome = channel.outcome();
    REQUIRE(heard.outcome.has_value());
    return heard;
}

inline FinishReason reason(const Heard& heard) {
    REQUIRE_MESSAGE(heard.outcome->ok(), heard.outcome->status().message());
    return (*heard.outcome)->finish_reason;
}

}  // namespace sluice::test
