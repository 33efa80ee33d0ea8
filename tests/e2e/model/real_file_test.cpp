// SPDX-License-Identifier: Apache-2.0
//! Any Qwen3-MoE file: SLUICE_MODEL_GGUF=/path/to/model.gguf ctest -L model
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "skip.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/sink/callback.hpp"

using namespace sluice;

namespace {

//! Sixteen greedy tokens; their text goes to `text`.
template <class P>
std::vector<Token> sixteen_tokens(P& pipeline, std::string& text) {
    std::vector<Token> tokens;
    CallbackSink sink([&](const TokenEvent& event) {
        tokens.push_back(event.id);
        text += event.text;
    });
    auto sampler = make_standard_sampler({});
    REQUIRE(sampler.ok());
    const auto result =
        pipeline.generate("Once upon a time", {.max_tokens = 16, .ignore_stop_tokens = true}, *sampler, sink);
    REQUIRE_MESSAGE(result.ok(), result.status().message());
    return tokens;
}

}  // namespace

TEST_CASE("model: a real file loads, and gives the same sixteen tokens with any threads, batch and cached prompt") {
    const char* path = std::getenv("SLUICE_MODEL_GGUF");
    if (path == nullptr || *path == '\0') {
        test::skip("SLUICE_MODEL_GGUF names no Qwen3-MoE file");
        return;
    }
    std::vector<Token> wanted;
    for (const LoadOptions& options :
         {LoadOptions{.context = 64}, LoadOptions{.context = 64, .threads = 1, .batch = 3}}) {
        auto pipeline = Pipeline<Qwen3MoeCpu<>>::load(path, options);
        REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
        std::string text, again;
        const std::vector<Token> tokens = sixteen_tokens(*pipeline, text);
        if (wanted.empty()) {
            wanted = tokens;
            std::cout << path << ": Once upon a time" << text << std::endl;
        }
        CHECK(tokens.size() == 16);
        CHECK(tokens == wanted);
        CHECK(sixteen_tokens(*pipeline, again) == wanted);
    }
}
