// SPDX-License-Identifier: Apache-2.0
//! Answers of the server's engine, sampled together on a device, beside the CPU's. For the emulated device and for a
//! GPU.
#pragma once

#include <chrono>
#include <cstddef>
#include <doctest/doctest.h>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/cuda/logits.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/policies.hpp"
#include "sluice/cuda/sampler.hpp"
#include "sluice/server/engine.hpp"
#include "sluice/sink/channel.hpp"
#include "sluice/sluice.hpp"
#include "support/tiny_model.hpp"
#include "unit/io/files.hpp"

namespace sluice::test {

//! What the clients hear: of each token its id, then that of the likeliest one if that is told; or the error.
template <class P>
std::vector<std::string> answers(const std::vector<SamplingParams>& sampling) {
    const TempFolder folder;
    write_file(folder / "tiny.gguf", TinyModel{.layers = 1}.in(quant::Format::Q4_K).draft().bytes());
    auto model = LoadedModel<P>::load(folder / "tiny.gguf", {.context = 16, .threads = 1, .batch = 16}, 3);
    REQUIRE_MESSAGE(model.ok(), model.status().message());
    server::Engine<P> engine(std::move(*model));
    std::vector<std::shared_ptr<ChannelSink>> channels;
    for (std::size_t i = 0; i < sampling.size(); ++i) {
        auto sampler = make_sampler<typename P::Sampler>(sampling[i]);
        REQUIRE(sampler.ok());
        typename server::Engine<P>::Request request{.prompt = {static_cast<Token>(i), 7, 30},
                                                    .options = {.max_tokens = 4, .seed = i, .ignore_stop_tokens = true},
                                                    .sampler = std::move(*sampler)};
        if (i == 1) request.top_logprobs = 1;
        auto channel = engine.submit(std::move(request));
        REQUIRE(channel.ok());
        channels.push_back(*channel);
    }
    std::vector<std::string> heard;
    for (const auto& channel : channels) {
        std::string& text = heard.emplace_back();
        while (channel->wait_for(std::chrono::seconds(300))) {
            const auto event = channel->pop();
            if (!event) break;
            text += std::to_string(event->id) + " ";
            for (const auto& logprob : event->logprobs) text += "(" + std::to_string(logprob.id) + ") ";
        }
        const auto outcome = channel->outcome();
        REQUIRE(outcome.has_value());
        if (!outcome->ok()) text += outcome->status().message();
    }
    return heard;
}

//! Three slots: some answers share each batch, and the others take the places of those that have ended. Q: formats,
//! Q4_K among them.
template <cuda::Device D, class Q>
void check_engine() {
    static_assert(AsyncSampler<cuda::DeviceSampler, typename cuda::DeviceLogits<D>::LogitsRow>);
    static_assert(!AsyncSampler<StandardSampler, std::span<float>>);
    const std::vector<SamplingParams> sampling = {
        {.temperature = 1.0F, .top_p = 0.9F},
        {.temperature = 0.7F, .top_k = 20},
        {.temperature = 1.0F, .logit_bias = {{100000, 1.0F}}},
        {.temperature = 0.0F, .repetition_penalty = 1.2F},
        {.temperature = 1.5F, .min_p = 0.05F},
    };
    const std::vector<std::string> wanted = answers<Qwen3MoeCpu<Q>>(sampling);
    CHECK(wanted[2].find("logit_bias") != std::string::npos);
    CHECK(wanted[1].find('(') != std::string::npos);
    CHECK(answers<Qwen3MoeOn<D, Q>>(sampling) == wanted);
}

}  // namespace sluice::test
