// SPDX-License-Identifier: Apache-2.0
//! Whole pipelines on a device, beside the CPU's. For the emulated device and for a GPU.
#pragma once

#include <concepts>
#include <cstddef>
#include <doctest/doctest.h>
#include <span>
#include <vector>

#include "cuda/policies_on.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/model/logits.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/sampler/standard.hpp"
#include "sluice/sink/callback.hpp"
#include "support/goldens.hpp"

namespace sluice::test {

//! What two turns of a conversation with the story model come to.
struct Turns {
    std::vector<Token> tokens;
    std::vector<std::size_t> figures;  //!< of each turn: tokens reused and generated, positions cached at the end

    friend bool operator==(const Turns&, const Turns&) = default;
};

//! The first answer is stopped by its sink at the third token, the second one ends with the context.
template <class P>
Turns two_turns(std::size_t context, std::size_t cpu_moe = 0) {
    auto pipeline = Pipeline<P>::load(source_path("samples/models/story-Q4_K_M.gguf"),
                                      {.context = context, .threads = 1, .batch = 8, .cpu_moe = cpu_moe});
    REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
    auto sampler = make_sampler<typename P::Sampler>({.temperature = 1.0F, .top_k = 50, .repetition_penalty = 1.1F});
    REQUIRE(sampler.ok());
    std::vector<Token> prompt = *pipeline->text_prompt("Once upon a time");
    Turns turns;
    for (const std::size_t most : {std::size_t{3}, context}) {
        std::size_t count = 0;
        CallbackSink sink([&](const TokenEvent& event) {
            turns.tokens.push_back(event.id);
            prompt.push_back(event.id);
            return ++count == most ? Flow::stop : Flow::go_on;
        });
        const auto given = prompt;
        const auto result =
            pipeline->generate(std::span(given), {.seed = 1, .ignore_stop_tokens = true}, *sampler, sink);
        REQUIRE_MESSAGE(result.ok(), result.status().message());
        turns.figures.insert(turns.figures.end(), {result->usage.cached_tokens, result->usage.completion_tokens,
                                                   pipeline->cache().length(0)});
    }
    return turns;
}

//! All on the device; logits sampled on the host; experts of some layers there too. Q: formats of the story model.
template <cuda::Device D, class Q>
void check_pipelines(std::size_t context) {
    static_assert(std::same_as<typename cuda::Forward<SampledOnHost<D, Q>>::Logits, model::HostLogits>);
    const Turns wanted = two_turns<Qwen3MoeCpu<Q>>(context);
    CHECK(wanted.tokens.size() > context - 10);
    CHECK(two_turns<Qwen3MoeOn<D, Q>>(context) == wanted);
    CHECK(two_turns<SampledOnHost<D, Q>>(context) == wanted);
    CHECK(two_turns<Qwen3MoeHybridOn<D, Q>>(context, 2) == wanted);
}

}  // namespace sluice::test
