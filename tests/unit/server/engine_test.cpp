// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/engine.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/cpu/executor.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "support/tiny_model.hpp"
#include "unit/io/files.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

//! Lets as many forward passes begin as the test allows.
class Gate {
public:
    void allow(std::size_t passes) {
        change([&] {
            allowed_ += passes;
            waiting_ = false;
        });
    }
    void open() { allow(std::size_t{1} << 40); }

    //! Waits until a pass wants to begin beyond the allowed ones.
    void wait_until_held() {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, 60s, [&] { return waiting_; }));
    }
    void pass() {
        std::unique_lock lock(mutex_);
        waiting_ = allowed_ == 0;
        changed_.notify_all();
        changed_.wait(lock, [&] { return allowed_ > 0; });
        waiting_ = false;
        --allowed_;
        ++passes_;
    }
    std::size_t passes() {
        const std::lock_guard lock(mutex_);
        return passes_;
    }
    void reset() {
        change([&] { allowed_ = passes_ = 0; });
    }

private:
    template <class F>
    void change(F f) {
        const std::lock_guard lock(mutex_);
        f();
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t allowed_ = 0, passes_ = 0;
    bool waiting_ = false;
};

Gate gate;  // an executor is made by the loader, so it cannot be handed one

//! Lets a case that fails end: declared after its engine, which waits for the gate in its destructor.
struct OpenAtEnd {
    ~OpenAtEnd() { gate.open(); }
};

struct GatedExecutor : cpu::SerialExecutor {
    template <class Region>
    void run(Region&& region) {
        gate.pass();
        cpu::SerialExecutor::run(region);
    }
};

//! StandardSampler, but the token at a position can be an error.
struct FragileSampler {
    StandardSampler sampler;
    std::optional<std::uint32_t> breaks_at{};

    Expected<Token> sample(std::span<float> logits, const SampleContext& context) {
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

constexpr Token end_of_text = 258;  // of the tiny models' vocabulary

template <class P>
std::unique_ptr<server::Engine<P>> engine_of(std::size_t slots, server::EngineOptions options = {},
                                             std::size_t batch = 16) {
    const TempFolder folder;
    write_file(folder / "tiny.gguf", odd_model.draft().bytes());
    auto model = LoadedModel<P>::load(folder / "tiny.gguf", {.context = 128, .batch = batch}, slots);
    REQUIRE_MESSAGE(model.ok(), model.status().message());
    return std::make_unique<server::Engine<P>>(std::move(*model), options);
}

std::vector<Token> prompt_of(std::size_t size, std::uint32_t seed) {
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

Heard read_all(ChannelSink& channel) {
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

FinishReason reason(const Heard& heard) {
    REQUIRE_MESSAGE(heard.outcome->ok(), heard.outcome->status().message());
    return (*heard.outcome)->finish_reason;
}

}  // namespace

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
