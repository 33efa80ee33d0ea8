// SPDX-License-Identifier: Apache-2.0
#include "sluice/pipeline/pipeline.hpp"

#include <concepts>
#include <cstddef>
#include <doctest/doctest.h>
#include <span>
#include <vector>

#include "cuda/same_bits.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/cuda/policies.hpp"
#include "sluice/model/logits.hpp"
#include "sluice/sampler/standard.hpp"
#include "sluice/sink/callback.hpp"
#include "support/goldens.hpp"

using namespace sluice;

namespace {

using AllOnDevice = Qwen3MoeOn<cuda::Emulated, test::Formats>;
using Hybrid = Qwen3MoeHybridOn<cuda::Emulated, test::Formats>;

struct SampledOnHost : AllOnDevice {
    using Sampler = StandardSampler;
};
static_assert(std::same_as<cuda::Forward<SampledOnHost>::Logits, model::HostLogits>);

//! What two turns of a conversation with the story model come to.
struct Turns {
    std::vector<Token> tokens;
    std::vector<std::size_t> figures;  // of each turn: tokens reused and generated, positions cached at the end

    friend bool operator==(const Turns&, const Turns&) = default;
};

//! The first answer is stopped by its sink at the third token, the second one ends with the context.
template <class P>
Turns two_turns(std::size_t cpu_moe = 0) {
    auto pipeline = Pipeline<P>::load(test::source_path("samples/models/story-Q4_K_M.gguf"),
                                      {.context = 16, .threads = 1, .batch = 8, .cpu_moe = cpu_moe});
    REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
    auto sampler = make_sampler<typename P::Sampler>({.temperature = 1.0F, .top_k = 50, .repetition_penalty = 1.1F});
    REQUIRE(sampler.ok());
    std::vector<Token> prompt = *pipeline->text_prompt("Once upon a time");
    Turns turns;
    for (const std::size_t most : {3UL, 100UL}) {
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

}  // namespace

TEST_CASE("cuda pipeline: a bundle on a device drops into the pipeline, and gives the CPU's tokens") {
    const Turns wanted = two_turns<Qwen3MoeCpu<test::Formats>>();
    CHECK(wanted.tokens.size() > 6);
    CHECK(two_turns<AllOnDevice>() == wanted);
    CHECK(two_turns<SampledOnHost>() == wanted);
    CHECK(two_turns<Hybrid>(2) == wanted);
}

TEST_CASE("cuda pipeline: experts on the CPU are refused where the bundle has none there") {
    const auto pipeline = Pipeline<AllOnDevice>::load(test::source_path("samples/models/story-Q4_K_M.gguf"),
                                                      {.context = 64, .cpu_moe = 1});
    REQUIRE(!pipeline.ok());
    CHECK(pipeline.status().where() == "cpu_moe");
}
