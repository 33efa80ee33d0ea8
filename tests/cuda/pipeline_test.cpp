// SPDX-License-Identifier: Apache-2.0
#include "sluice/pipeline/pipeline.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <vector>

#include "cuda/same_bits.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/cuda/policies.hpp"
#include "sluice/sampler/standard.hpp"
#include "sluice/sink/callback.hpp"
#include "support/goldens.hpp"

using namespace sluice;

namespace {

//! Six sampled tokens of the story model.
template <class P>
std::vector<Token> tokens(std::size_t cpu_moe = 0) {
    auto pipeline = Pipeline<P>::load(test::source_path("samples/models/story-Q4_K_M.gguf"),
                                      {.context = 64, .threads = 1, .batch = 8, .cpu_moe = cpu_moe});
    REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
    auto sampler = make_standard_sampler({.temperature = 1.0F});
    REQUIRE(sampler.ok());
    std::vector<Token> tokens;
    CallbackSink sink([&](const TokenEvent& event) {
        tokens.push_back(event.id);
        return Flow::go_on;
    });
    const auto result = pipeline->generate("Once upon a time", {.max_tokens = 6, .seed = 1}, *sampler, sink);
    REQUIRE_MESSAGE(result.ok(), result.status().message());
    CHECK(tokens.size() == 6);
    return tokens;
}

}  // namespace

TEST_CASE("cuda pipeline: a bundle on a device drops into the pipeline, and gives the CPU's tokens") {
    using test::Formats;
    const std::vector<Token> wanted = tokens<Qwen3MoeCpu<Formats>>();
    CHECK(tokens<Qwen3MoeOn<cuda::Emulated, Formats>>() == wanted);
    CHECK(tokens<Qwen3MoeHybridOn<cuda::Emulated, Formats>>(2) == wanted);
}

TEST_CASE("cuda pipeline: experts on the CPU are refused where the bundle has none there") {
    using Policies = Qwen3MoeOn<cuda::Emulated, test::Formats>;
    const auto pipeline =
        Pipeline<Policies>::load(test::source_path("samples/models/story-Q4_K_M.gguf"), {.context = 64, .cpu_moe = 1});
    REQUIRE(!pipeline.ok());
    CHECK(pipeline.status().where() == "cpu_moe");
}
