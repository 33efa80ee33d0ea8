// SPDX-License-Identifier: Apache-2.0
//! Makes every wrong call in the last table of docs/reliability.md and compares the error, to the letter.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reliability_page.hpp"
#include "sluice/sluice.hpp"
#include "support/runner.hpp"
#include "support/tiny_model.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

const std::string story_model = SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf";

using StoryPipeline = Pipeline<Qwen3MoeCpu<quant::Q4_K_M>>;

std::string_view name_of(Errc code) {
    switch (code) {
        case Errc::invalid_argument:
            return "invalid_argument";
        case Errc::not_found:
            return "not_found";
        case Errc::io:
            return "io";
        case Errc::corrupt:
            return "corrupt";
        case Errc::unsupported:
            return "unsupported";
        case Errc::out_of_capacity:
            return "out_of_capacity";
        case Errc::numeric:
            return "numeric";
        case Errc::cancelled:
            return "cancelled";
    }
    return "";
}

template <class T>
Status error_of(const Expected<T>& expected) {
    return expected.ok() ? Status() : expected.status();
}

//! What a sampler says about these logits.
Status sample(std::vector<float> logits, const SamplingParams& params = {}, const std::vector<Token>& history = {}) {
    SLUICE_ASSIGN(StandardSampler sampler, make_standard_sampler(params));
    return error_of(sampler.sample(logits, {.history = history}));
}

Status make_sampler(const SamplingParams& params) { return error_of(make_standard_sampler(params)); }

}  // namespace

TEST_CASE("errors: wrong calls of the library") {
    const MemoryFile tiny(odd_model.draft());
    Runner<> runner(*tiny, {.max_rows = 4, .capacity = 6, .sequences = 2});
    static_cast<void>(runner.feed(std::vector<Token>{1, 2, 3}));
    std::vector<float> room(4 * runner.vocab());
    const auto forward_to = [&](std::span<float> logits, const std::vector<Row>& rows) {
        return runner.forward(runner.executor, runner.cache, rows, logits);
    };
    const auto forward = [&](const std::vector<Row>& rows) { return forward_to(room, rows); };

    auto pipeline = StoryPipeline::load(story_model, {.context = 8, .threads = 1});
    REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
    auto sampler = make_standard_sampler({});
    REQUIRE(sampler.ok());
    const auto generate = [&](std::vector<Token> prompt, std::vector<std::string> stop = {}) {
        CallbackSink sink([](const TokenEvent&) {});
        return error_of(pipeline->generate(prompt, {.stop = std::move(stop)}, *sampler, sink));
    };
    const auto load = [](LoadOptions options) { return error_of(StoryPipeline::load(story_model, options)); };

    const std::map<std::string, std::function<Status()>> calls = {
        {"forward({})", [&] { return forward({}); }},
        {"forward({{1, 0, 3}, {1, 0, 4}, {1, 0, 5}, {1, 1, 0}, {1, 1, 1}})",
         [&] {
             return forward({{1, 0, 3}, {1, 0, 4}, {1, 0, 5}, {1, 1, 0}, {1, 1, 1}});
         }},
        {"forward({{-1, 0, 3}})",
         [&] {
             return forward({{-1, 0, 3}});
         }},
        {"forward({{261, 0, 3}})",
         [&] {
             return forward({{261, 0, 3}});
         }},
        {"forward({{1, 2, 0}})",
         [&] {
             return forward({{1, 2, 0}});
         }},
        {"forward({{1, 0, 5}})",
         [&] {
             return forward({{1, 0, 5}});
         }},
        {"forward({{1, 0, 3}, {1, 0, 4}, {1, 0, 5}, {1, 0, 6}})",
         [&] {
             return forward({{1, 0, 3}, {1, 0, 4}, {1, 0, 5}, {1, 0, 6}});
         }},
        {"forward({{1, 0, 3, true}}) into 100 floats",
         [&] {
             return forward_to(std::span(room).first(100), {{1, 0, 3, true}});
         }},
        {"sample({})", [] { return sample({}); }},
        {"sample({1, NAN})",
         [] {
             return sample({1, NAN});
         }},
        {"sample({INFINITY, 1})",
         [] {
             return sample({INFINITY, 1});
         }},
        {"sample({-INFINITY, -INFINITY})",
         [] {
             return sample({-INFINITY, -INFINITY});
         }},
        {"sample({1, 2}, {.logit_bias = {{2, 1}}})",
         [] {
             return sample({1, 2}, {.logit_bias = {{2, 1}}});
         }},
        {"sample({1, 2}, {.presence_penalty = 1}, {5})",
         [] {
             return sample({1, 2}, {.presence_penalty = 1}, {5});
         }},
        {"make_standard_sampler({.temperature = -1})", [] { return make_sampler({.temperature = -1}); }},
        {"make_standard_sampler({.temperature = NAN})", [] { return make_sampler({.temperature = NAN}); }},
        {"make_standard_sampler({.top_k = -1})", [] { return make_sampler({.top_k = -1}); }},
        {"make_standard_sampler({.top_p = NAN})", [] { return make_sampler({.top_p = NAN}); }},
        {"make_standard_sampler({.min_p = 1.5})", [] { return make_sampler({.min_p = 1.5F}); }},
        {"make_standard_sampler({.repetition_penalty = 0})", [] { return make_sampler({.repetition_penalty = 0}); }},
        {"make_standard_sampler({.frequency_penalty = INFINITY})",
         [] { return make_sampler({.frequency_penalty = INFINITY}); }},
        {"make_standard_sampler({.repeat_last_n = -2})", [] { return make_sampler({.repeat_last_n = -2}); }},
        {"make_standard_sampler({.logit_bias = {{-1, 1}}})",
         [] {
             return make_sampler({.logit_bias = {{-1, 1}}});
         }},
        {"load({.threads = 1000000})", [&] { return load({.threads = 1000000}); }},
        {"generate({})", [&] { return generate({}); }},
        {"generate({1, 2, 3, 4, 5, 6, 7, 8})",
         [&] {
             return generate({1, 2, 3, 4, 5, 6, 7, 8});
         }},
        {"generate({1, -1})",
         [&] {
             return generate({1, -1});
         }},
        {"generate({1}, {.stop = {\"\"}})", [&] { return generate({1}, {""}); }},
        {"chat_prompt({})", [&] { return error_of(pipeline->chat_prompt({})); }},
        {"shape::as<shape::Qwen3_30B_A3B>(shape)",
         [&] { return error_of(shape::as<shape::Qwen3_30B_A3B>(pipeline->hyperparameters().shape)); }},
        {"file().get<float>(\"qwen3moe.block_count\")",
         [&] { return error_of((*tiny).get<float>("qwen3moe.block_count")); }},
        {"file().get<float>(\"my.key\")", [&] { return error_of((*tiny).get<float>("my.key")); }},
        {"gguf::Writer::create(\"/no/folder/m.gguf\", layout)",
         [] { return error_of(gguf::Writer::create("/no/folder/m.gguf", gguf::Layout())); }},
    };

    std::size_t called = 0;
    for (const std::vector<std::string>& row : reliability_table("Wrong calls of the library").rows) {
        REQUIRE(row.size() == 4);
        CAPTURE(row[1]);
        const auto call = calls.find(row[1]);
        REQUIRE(call != calls.end());
        ++called;
        const Status status = call->second();
        REQUIRE(!status.ok());
        CHECK(name_of(status.code()) == row[2]);
        CHECK(status.message() == row[3]);
    }
    CHECK(called == calls.size());
}
