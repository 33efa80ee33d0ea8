// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/engine.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/pipeline/pipeline.hpp"
#include "unit/server/tiny_engine.hpp"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("engine: a request alone gives what the pipeline gives") {
    const TempFolder folder;
    write_file(folder / "tiny.gguf", odd_model.draft().bytes());
    auto pipeline = Pipeline<Free>::load(folder / "tiny.gguf", {.context = 128, .threads = 1});
    REQUIRE(pipeline.ok());
    const auto engine = engine_of<Free>(3);
    for (std::uint32_t i = 0; i < 8; ++i) {
        const std::vector<Token> prompt = prompt_of(1 + i * 9, i);
        const GenerateOptions options{.max_tokens = 5 + 9 * i, .stop = {"\x01\x02", "t"}, .seed = i};
        auto request = request_of<Free>(prompt, options);
        FragileSampler sampler = request.sampler;
        ChannelSink channel(200);
        const auto result = pipeline->generate(std::span(prompt), request.options, sampler, channel);
        REQUIRE(result.ok());
        const Heard expected = read_all(channel), heard = read_all(*submit(*engine, std::move(request)));
        CHECK(heard.tokens == expected.tokens);
        CHECK(heard.text == expected.text);
        CHECK(reason(heard) == result->finish_reason);
        CHECK((*heard.outcome)->usage.prompt_tokens == prompt.size());
        CHECK((*heard.outcome)->usage.completion_tokens == result->usage.completion_tokens);
    }
}

TEST_CASE("engine: sixteen answers at once, in few slots, are what each is alone") {
    const auto alone = engine_of<Free>(1), crowded = engine_of<Free>(5, {.queue = 16, .prefill_chunk = 3}, 12);
    std::vector<Channel> channels;
    std::vector<Heard> expected;
    for (std::uint32_t i = 0; i < 16; ++i) {
        const auto request = request_of<Free>(prompt_of(1 + i * 5, i), {.max_tokens = 30, .seed = 100 + i});
        expected.push_back(read_all(*submit(*alone, request)));
        channels.push_back(submit(*crowded, request));
    }
    for (std::size_t i = 0; i < 16; ++i) {
        const Heard heard = read_all(*channels[i]);
        CHECK(heard.tokens == expected[i].tokens);
        CHECK(heard.text == expected[i].text);
        CHECK(reason(heard) == FinishReason::max_tokens);
    }
    const server::EngineState state = crowded->state();
    CHECK(state.busy_slots == 0);
    CHECK(state.queued == 0);
    CHECK(state.finished == 16);
    CHECK(state.generated_tokens == 16 * 30);
}

TEST_CASE("engine: a token is heard before the next one is computed") {
    gate.reset();
    const auto engine = engine_of<Gated>(2);
    const OpenAtEnd open_at_end;
    const Channel channel = submit(*engine, request_of<Gated>(prompt_of(5, 1), {.max_tokens = 3}));
    for (std::size_t i = 0; i < 3; ++i) {
        gate.wait_until_held();
        CHECK_FALSE(channel->wait_for(0ms));
        gate.allow(1);
        REQUIRE(channel->wait_for(60s));
        CHECK(channel->pop()->index == i);
        CHECK(gate.passes() == i + 1);
    }
    CHECK(reason(read_all(*channel)) == FinishReason::max_tokens);
}

TEST_CASE("engine: a running answer gets a token in every pass while a long prompt joins") {
    gate.reset();
    const auto engine = engine_of<Gated>(2, {.prefill_chunk = 4});
    const OpenAtEnd open_at_end;
    const Channel running = submit(*engine, request_of<Gated>(prompt_of(3, 1), {.max_tokens = 40}));
    gate.allow(1);
    gate.wait_until_held();
    const Channel joining = submit(*engine, request_of<Gated>(prompt_of(17, 2), {.max_tokens = 1}));
    gate.allow(1);  // was planned before the request came
    std::size_t passes = 0;
    for (; !joining->wait_for(0ms); ++passes) {
        gate.wait_until_held();
        gate.allow(1);
        gate.wait_until_held();
    }
    CHECK(passes == 5);  // of 4 + 4 + 4 + 4 + 1 rows
    for (std::size_t i = 0; i < 2 + passes; ++i) {
        REQUIRE(running->wait_for(0ms));
        CHECK(running->pop()->index == i);
    }
    gate.open();
    read_all(*running);
}

TEST_CASE("engine: a long prompt does not keep a short one waiting") {
    gate.reset();
    const auto engine = engine_of<Gated>(2, {}, 8);
    const OpenAtEnd open_at_end;
    const Channel long_one = submit(*engine, request_of<Gated>(prompt_of(100, 1), {.max_tokens = 1}));
    gate.wait_until_held();
    const Channel short_one = submit(*engine, request_of<Gated>(prompt_of(6, 2), {.max_tokens = 1}));
    gate.allow(2);  // the first was planned before the request came
    gate.wait_until_held();
    CHECK(short_one->wait_for(0ms));
    CHECK_FALSE(long_one->wait_for(0ms));
    gate.open();
    read_all(*long_one);
}

TEST_CASE("engine: short prompts, however many, do not starve a long one") {
    gate.reset();
    const auto engine = engine_of<Gated>(3, {}, 8);
    const OpenAtEnd open_at_end;
    const Channel long_one = submit(*engine, request_of<Gated>(prompt_of(40, 1), {.max_tokens = 1}));
    gate.wait_until_held();
    std::vector<Channel> short_ones;
    for (std::uint32_t i = 0; i < 60; ++i) {
        short_ones.push_back(submit(*engine, request_of<Gated>(prompt_of(8, 2 + i), {.max_tokens = 1})));
    }
    gate.allow(1 + 32 / 2);  // 8 rows alone, then a quarter of each batch
    gate.wait_until_held();
    CHECK(long_one->wait_for(0ms));
    CHECK_FALSE(short_ones.back()->wait_for(0ms));
    gate.open();
    for (const Channel& channel : short_ones) CHECK(read_all(*channel).tokens.size() == 1);
}

TEST_CASE("engine: log-probabilities are those of the model's own logits, and change no token") {
    const auto engine = engine_of<Free>(2);
    const std::vector<Token> prompt = prompt_of(9, 1);
    const auto plain = request_of<Free>(prompt, {.max_tokens = 12, .seed = 3},
                                        {.temperature = 0.5F, .top_k = 3, .repetition_penalty = 1.5F});
    auto asking = plain;
    asking.top_logprobs = 4;
    const Channel quiet = submit(*engine, plain), asked = submit(*engine, asking);
    std::vector<Token> history = prompt;
    std::vector<std::vector<TokenLogprob>> heard;
    while (const auto event = asked->pop()) {
        const auto silent = quiet->pop();
        REQUIRE(silent.has_value());
        CHECK(silent->id == event->id);
        CHECK(silent->logprobs.empty());
        REQUIRE(event->logprobs.size() == 5);
        CHECK(event->logprobs[0].id == event->id);
        heard.push_back(event->logprobs);
        history.push_back(event->id);
    }

    const TempFolder folder;
    write_file(folder / "tiny.gguf", odd_model.draft().bytes());
    auto pipeline = Pipeline<Free>::load(folder / "tiny.gguf", {.context = 128, .threads = 1});
    REQUIRE(pipeline.ok());
    const Status computed = pipeline->each_logits(history, [&](std::size_t at, std::span<const float> logits) {
        if (at + 1 < prompt.size() || at + 1 == history.size()) return;
        double sum = 0;
        for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
        const float best = *std::max_element(logits.begin(), logits.end());
        for (const TokenLogprob& one : heard[at + 1 - prompt.size()]) {
            const float logit = logits[static_cast<std::size_t>(one.id)];
            CHECK(std::abs(static_cast<double>(one.logprob) - (static_cast<double>(logit) - std::log(sum))) < 1e-5);
            CHECK(one.bytes == engine->model().vocabulary.tokenizer.piece(one.id));
        }
        CHECK(logits[static_cast<std::size_t>(heard[at + 1 - prompt.size()][1].id)] == best);
    });
    CHECK(computed.ok());
    CHECK(history.size() == 9 + 12);
}

TEST_CASE("engine: who goes away frees the slot within one pass: in the queue, in the prompt, in the answer") {
    gate.reset();
    const auto engine = engine_of<Gated>(2, {}, 4);
    const OpenAtEnd open_at_end;
    const Channel stays = submit(*engine, request_of<Gated>(prompt_of(1, 1), {.max_tokens = 8}));
    const Channel in_prompt = submit(*engine, request_of<Gated>(prompt_of(60, 2), {.max_tokens = 8}));
    const Channel in_queue = submit(*engine, request_of<Gated>(prompt_of(3, 3), {.max_tokens = 8}));
    gate.wait_until_held();
    gate.allow(1);
    gate.wait_until_held();
    CHECK(engine->state().busy_slots == 2);
    CHECK(engine->state().queued == 1);

    in_queue->close();
    gate.allow(1);
    gate.wait_until_held();
    CHECK(engine->state().queued == 0);
    CHECK(engine->state().busy_slots == 2);

    in_prompt->close();
    gate.allow(1);
    gate.wait_until_held();
    CHECK(engine->state().busy_slots == 1);

    const Channel leaves = submit(*engine, request_of<Gated>(prompt_of(1, 4), {.max_tokens = 8}));
    gate.allow(2);
    REQUIRE(leaves->wait_for(60s));
    gate.wait_until_held();
    leaves->close();
    gate.allow(1);
    gate.wait_until_held();
    CHECK(engine->state().busy_slots == 1);
    CHECK(engine->state().cancelled == 3);

    gate.open();
    const Heard heard = read_all(*stays);
    CHECK(heard.tokens.size() == 8);
    CHECK(reason(heard) == FinishReason::max_tokens);
    CHECK(read_all(*in_prompt).tokens.empty());
}

TEST_CASE("engine: an answer whose logits are broken ends with the error, and no other") {
    const auto engine = engine_of<Free>(3);
    const auto whole = request_of<Free>(prompt_of(6, 1), {.max_tokens = 20, .seed = 5});
    const Heard expected = read_all(*submit(*engine, whole));
    auto broken = whole;
    broken.sampler.breaks_at = 6 + 4;
    const Channel first = submit(*engine, whole), second = submit(*engine, broken), third = submit(*engine, whole);
    const Heard failed = read_all(*second);
    CHECK(failed.tokens == std::vector(expected.tokens.begin(), expected.tokens.begin() + 4));
    REQUIRE_FALSE(failed.outcome->ok());
    CHECK(failed.outcome->status().message().starts_with("logits[3]: is NaN"));
    CHECK(read_all(*first).tokens == expected.tokens);
    CHECK(read_all(*third).tokens == expected.tokens);
    CHECK(engine->state().failed == 1);
}

TEST_CASE("engine: an answer whose sampler throws ends with an error, and no other") {
    const auto engine = engine_of<Free>(3);
    const auto whole = request_of<Free>(prompt_of(6, 1), {.max_tokens = 20, .seed = 5});
    const Heard expected = read_all(*submit(*engine, whole));
    auto broken = whole;
    broken.sampler.throws_at = 6 + 4;
    const Channel first = submit(*engine, whole), second = submit(*engine, broken), third = submit(*engine, whole);
    const Heard failed = read_all(*second);
    CHECK(failed.tokens == std::vector(expected.tokens.begin(), expected.tokens.begin() + 4));
    REQUIRE_FALSE(failed.outcome->ok());
    CHECK(failed.outcome->status().message() == "engine: a policy has thrown: no such luck");
    CHECK(read_all(*first).tokens == expected.tokens);
    CHECK(read_all(*third).tokens == expected.tokens);
    CHECK(read_all(*submit(*engine, whole)).tokens == expected.tokens);  // and its slot is whole again
}

TEST_CASE("engine: a slot's cache is reused for a prompt that begins alike, and changes nothing") {
    const auto engine = engine_of<Free>(2), fresh = engine_of<Free>(1);
    const std::vector<Token> prompt = prompt_of(40, 1);
    std::vector<Token> longer = prompt;
    longer.insert(longer.end(), {9, 8, 7});
    const GenerateOptions options{.max_tokens = 10};
    read_all(*submit(*engine, request_of<Free>(prompt, options)));
    read_all(*submit(*engine, request_of<Free>(prompt_of(20, 2), options)));  // takes the other slot
    const Heard reused = read_all(*submit(*engine, request_of<Free>(longer, options)));
    CHECK((*reused.outcome)->usage.cached_tokens == 40);
    CHECK((*reused.outcome)->usage.prompt_tokens == 43);
    CHECK(reused.tokens == read_all(*submit(*fresh, request_of<Free>(longer, options))).tokens);
    const Heard again = read_all(*submit(*engine, request_of<Free>(longer, options)));
    CHECK((*again.outcome)->usage.cached_tokens == 42);  // the last token is computed, for its logits
    CHECK(again.tokens == reused.tokens);
}

TEST_CASE("engine: refuses what it cannot answer") {
    const auto engine = engine_of<Free>(1);
    const auto error = [&](std::vector<Token> prompt, GenerateOptions options) {
        const auto channel = engine->submit(request_of<Free>(std::move(prompt), std::move(options)));
        REQUIRE_FALSE(channel.ok());
        return channel.status().message();
    };
    CHECK(error({}, {}) == "prompt: is empty; give at least one token");
    CHECK(error(std::vector<Token>(128, 1), {}) ==
          "prompt: has 128 tokens, but the context of 128 has room for 127; shorten it or load with a larger context");
    CHECK(error({1, -1}, {}) == "prompt: token -1 is not in the vocabulary; give ids from 0 to 260");
    CHECK(error({1, 261}, {}) == "prompt: token 261 is not in the vocabulary; give ids from 0 to 260");
    CHECK(error({1}, {.stop = {""}}) == "stop string: is empty; give text, or leave it out");
    CHECK(engine->state().requests == 0);

    const Heard none = read_all(*submit(*engine, request_of<Free>({1}, {.max_tokens = 0})));
    CHECK(none.tokens.empty());
    CHECK(reason(none) == FinishReason::max_tokens);
    const Heard full = read_all(*submit(*engine, request_of<Free>(prompt_of(127, 1), {})));
    CHECK(full.tokens.size() == 1);
    CHECK(reason(full) == FinishReason::context_full);
}

TEST_CASE("engine: the queue is bounded, and room comes back") {
    gate.reset();
    const auto engine = engine_of<Gated>(1, {.queue = 2});
    const OpenAtEnd open_at_end;
    const auto request = request_of<Gated>({1, 2}, {.max_tokens = 2});
    std::vector<Channel> channels = {submit(*engine, request)};
    gate.wait_until_held();
    for (int i = 0; i < 2; ++i) channels.push_back(submit(*engine, request));
    const auto refused = engine->submit(request);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.status().code() == Errc::out_of_capacity);
    CHECK(refused.status().message() == "queue: is full: 2 requests wait; try again later");
    gate.open();
    for (const Channel& channel : channels) CHECK(read_all(*channel).tokens.size() == 2);
    CHECK(read_all(*submit(*engine, request)).tokens.size() == 2);
}

TEST_CASE("engine: drains what it has, refuses the rest, and gives up at the limit") {
    gate.reset();
    const auto request = request_of<Gated>({1, 2}, {.max_tokens = 5});
    {
        const auto engine = engine_of<Gated>(1);
        const OpenAtEnd open_at_end;
        const Channel running = submit(*engine, request), waiting = submit(*engine, request);
        gate.open();
        engine->drain(60s);
        CHECK(reason(read_all(*running)) == FinishReason::max_tokens);
        CHECK(reason(read_all(*waiting)) == FinishReason::max_tokens);
        const auto refused = engine->submit(request);
        REQUIRE_FALSE(refused.ok());
        CHECK(refused.status().message() == "engine: is shutting down");
    }
    gate.reset();
    const auto engine = engine_of<Gated>(1);
    const OpenAtEnd open_at_end;
    const Channel running = submit(*engine, request), waiting = submit(*engine, request);
    gate.wait_until_held();
    std::thread later([] {
        std::this_thread::sleep_for(50ms);
        gate.open();
    });
    engine->drain(0ms);
    later.join();
    CHECK(reason(read_all(*running)) == FinishReason::cancelled);
    CHECK(reason(read_all(*waiting)) == FinishReason::cancelled);
}

TEST_CASE("engine: a stop token ends an answer") {
    const auto engine = engine_of<Free>(1);
    auto request = request_of<Free>({1, 2}, {}, {.logit_bias = {{end_of_text, 1e6F}}});
    request.options.ignore_stop_tokens = false;
    const Heard heard = read_all(*submit(*engine, std::move(request)));
    CHECK(heard.tokens == std::vector<Token>{end_of_text});
    CHECK(heard.text == "");
    CHECK(reason(heard) == FinishReason::stop_token);
}
