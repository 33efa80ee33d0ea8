// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/engine.hpp"

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cuda/same_bits.hpp"
#include "sluice/concepts/sampler.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/cuda/policies.hpp"
#include "sluice/cuda/sampler.hpp"
#include "sluice/sink/channel.hpp"
#include "sluice/sluice.hpp"
#include "support/tiny_model.hpp"
#include "unit/io/files.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

using ServedOnCpu = Qwen3MoeCpu<Formats>;
using ServedOnDevice = Qwen3MoeOn<cuda::Emulated, Formats>;

using DeviceRow = cuda::DeviceLogits<cuda::Emulated>::LogitsRow;
static_assert(AsyncSampler<cuda::DeviceSampler, DeviceRow>);
static_assert(!AsyncSampler<StandardSampler, std::span<float>>);

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

}  // namespace

// Three slots: some answers share each batch, and the fifth takes the place of one that has ended.
TEST_CASE("cuda engine: answers that are sampled together on a device are the CPU's, and so are their errors") {
    const std::vector<SamplingParams> sampling = {
        {.temperature = 1.0F, .top_p = 0.9F},
        {.temperature = 0.7F, .top_k = 20},
        {.temperature = 1.0F, .logit_bias = {{100000, 1.0F}}},
        {.temperature = 0.0F, .repetition_penalty = 1.2F},
        {.temperature = 1.5F, .min_p = 0.05F},
    };
    const std::vector<std::string> wanted = answers<ServedOnCpu>(sampling);
    CHECK(wanted[2].find("logit_bias") != std::string::npos);
    CHECK(wanted[1].find('(') != std::string::npos);
    CHECK(answers<ServedOnDevice>(sampling) == wanted);
}
