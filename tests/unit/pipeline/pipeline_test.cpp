// SPDX-License-Identifier: Apache-2.0
#include "sluice/pipeline/pipeline.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/sink/callback.hpp"
#include "support/numbers.hpp"
#include "support/runner.hpp"
#include "support/tiny_model.hpp"
#include "unit/io/files.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

using Tiny = Pipeline<Qwen3MoeCpu<>>;

constexpr Token letter_a = 'a';

//! The error, or success, of loading a draft.
Expected<Tiny> try_load(const Draft& draft, const LoadOptions& options) {
    const TempFolder folder;
    write_file(folder / "tiny.gguf", draft.bytes());
    return Tiny::load(folder / "tiny.gguf", options);
}

Tiny load(const Draft& draft = odd_model.draft(), LoadOptions options = {.context = 64, .threads = 2}) {
    auto pipeline = try_load(draft, options);
    REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
    return std::move(*pipeline);
}

StandardSampler sampler_of(const SamplingParams& params) {
    auto sampler = make_standard_sampler(params);
    REQUIRE_MESSAGE(sampler.ok(), sampler.status().message());
    return std::move(*sampler);
}
StandardSampler greedy() { return sampler_of({}); }

//! Samples nothing but this token.
StandardSampler always(Token token) { return sampler_of({.logit_bias = {{token, 1e6F}}}); }

//! Keeps all it is told; answers `stop` to event number `stop_at`.
struct Recorder {
    std::size_t stop_at = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> indices{};
    std::vector<Token> ids{};
    std::vector<bool> stops{};
    std::string text{};
    std::size_t finished = 0;
    std::vector<std::string> errors{};

    Flow on_token(const TokenEvent& event) {
        indices.push_back(event.index);
        ids.push_back(event.id);
        stops.push_back(event.is_stop);
        text += event.text;
        return event.index == stop_at ? Flow::stop : Flow::go_on;
    }
    void on_finish(const GenerationResult&) { ++finished; }
    void on_error(const Status& status) { errors.push_back(status.message()); }
};

template <class Sink>
GenerationResult generate(Tiny& pipeline, const std::vector<Token>& prompt, StandardSampler sampler, Sink& sink,
                          const GenerateOptions& options) {
    auto result = pipeline.generate(std::span<const Token>(prompt), options, sampler, sink);
    REQUIRE_MESSAGE(result.ok(), result.status().message());
    return *result;
}

const std::vector<Token> six_tokens = {10, 200, 33, 97, 98, 5};

//! Guesses one letter three times.
struct LetterDrafter {
    static constexpr std::size_t max_tokens = 3;
    explicit LetterDrafter(std::size_t) {}
    void restart() {}
    std::span<const Token> propose(std::span<const Token>, std::size_t most) const {
        return std::span<const Token>(guesses).first(std::min(most, guesses.size()));
    }
    std::array<Token, max_tokens> guesses = {letter_a, letter_a, letter_a};
};
struct Guessing : Qwen3MoeCpu<> {
    using Drafter = LetterDrafter;
};

}  // namespace

TEST_CASE("pipeline: greedy tokens are the arg max of the forward pass, one event each") {
    const MemoryFile file(odd_model.draft());
    Runner<CoreOf<quant::Any, cpu::KvCacheF16>> runner(*file);
    std::vector<Token> wanted;
    std::vector<float> logits = runner.feed(six_tokens);
    for (int i = 0; i < 12; ++i) {
        const auto last = std::span(logits).last(runner.vocab());
        wanted.push_back(static_cast<Token>(std::max_element(last.begin(), last.end()) - last.begin()));
        logits = runner.feed(std::span(&wanted.back(), 1));
    }
    for (const std::size_t batch : {1U, 4U, 256U}) {
        CAPTURE(batch);
        Tiny pipeline = load(odd_model.draft(), {.context = 64, .threads = 2, .batch = batch});
        Recorder sink;
        const auto result =
            generate(pipeline, six_tokens, greedy(), sink, {.max_tokens = 12, .ignore_stop_tokens = true});
        CHECK(sink.ids == wanted);
        CHECK(sink.indices.size() == 12);
        CHECK(sink.indices.back() == 11);
        CHECK(sink.finished == 1);
        CHECK(sink.errors.empty());
        CHECK(result.finish_reason == FinishReason::max_tokens);
        CHECK(result.usage.prompt_tokens == 6);
        CHECK(result.usage.completion_tokens == 12);
        CHECK(result.usage.total_tokens() == 18);
        CHECK(result.usage.cached_tokens == 0);
    }
}

TEST_CASE("pipeline: a seed gives the same tokens again, another seed others") {
    const auto tokens_of = [](std::uint64_t seed) {
        Tiny pipeline = load();
        Recorder sink;
        generate(pipeline, six_tokens, sampler_of({.temperature = 1.0F}), sink,
                 {.max_tokens = 16, .seed = seed, .ignore_stop_tokens = true});
        return sink.ids;
    };
    CHECK(tokens_of(1) == tokens_of(1));
    CHECK(tokens_of(1) != tokens_of(2));
}

TEST_CASE("pipeline: a stop token ends the text, is told to the sink without text, and counts") {
    for (const Token stop : {end_of_turn, end_of_text}) {
        Tiny pipeline = load();
        Recorder sink;
        const auto result = generate(pipeline, six_tokens, always(stop), sink, {.max_tokens = 5});
        CHECK(result.finish_reason == FinishReason::stop_token);
        CHECK(result.usage.completion_tokens == 1);
        CHECK(sink.ids == std::vector{stop});
        CHECK(sink.stops == std::vector{true});
        CHECK(sink.text.empty());
    }
    Tiny pipeline = load();
    Recorder last, ignored;
    CHECK(generate(pipeline, six_tokens, always(end_of_turn), last, {.max_tokens = 1}).finish_reason ==
          FinishReason::stop_token);  // also on the last allowed token
    CHECK(generate(pipeline, six_tokens, always(end_of_turn), ignored, {.max_tokens = 3, .ignore_stop_tokens = true})
              .finish_reason == FinishReason::max_tokens);
    CHECK(ignored.ids.size() == 3);
    CHECK(ignored.stops == std::vector<bool>(3, false));
}

TEST_CASE("pipeline: a stop string ends the text across tokens, held back and never shown") {
    Tiny pipeline = load();
    Recorder sink;
    const auto result =
        generate(pipeline, six_tokens, always(letter_a), sink, {.max_tokens = 9, .stop = {"aaab", "aaaa"}});
    CHECK(result.finish_reason == FinishReason::stop_string);
    CHECK(result.usage.completion_tokens == 4);
    CHECK(sink.text.empty());

    Recorder cut;
    CHECK(generate(pipeline, six_tokens, always(letter_a), cut, {.max_tokens = 3, .stop = {"aaaa"}}).finish_reason ==
          FinishReason::max_tokens);
    CHECK(cut.text == "aaa");  // what was held back is not lost

    Recorder exact;
    CHECK(generate(pipeline, six_tokens, always(letter_a), exact, {.max_tokens = 4, .stop = {"aaaa"}}).finish_reason ==
          FinishReason::stop_string);  // also on the last allowed token
}

TEST_CASE("pipeline: the context ends a generation, and a prompt that leaves no room is refused whole") {
    Tiny pipeline = load(odd_model.draft(), {.context = 10, .threads = 1});
    Recorder full, exact;
    const auto result = generate(pipeline, six_tokens, always(letter_a), full, {});
    CHECK(result.finish_reason == FinishReason::context_full);
    CHECK(result.usage.completion_tokens == 4);
    CHECK(generate(pipeline, six_tokens, always(letter_a), exact, {.max_tokens = 4}).finish_reason ==
          FinishReason::max_tokens);

    Recorder sink;
    auto sampler = greedy();
    const std::vector<Token> long_prompt(10, 1);
    const auto too_long = pipeline.generate(std::span<const Token>(long_prompt), {}, sampler, sink);
    CHECK(too_long.status().code() == Errc::out_of_capacity);
    CHECK(too_long.status().message() ==
          "prompt: has 10 tokens, but the context of 10 has room for 9; shorten it or load with a larger context");
    const auto empty = pipeline.generate(std::string_view(""), {}, sampler, sink);
    CHECK(empty.status().code() == Errc::invalid_argument);
    CHECK(empty.status().message() == "prompt: is empty; give at least one token");
    CHECK(sink.ids.empty());
    CHECK(sink.errors.size() == 2);
    CHECK(sink.finished == 0);
}

TEST_CASE("pipeline: max_tokens 0 computes the prompt and samples nothing") {
    Tiny pipeline = load();
    Recorder sink;
    const auto result = generate(pipeline, six_tokens, greedy(), sink, {.max_tokens = 0});
    CHECK(result.finish_reason == FinishReason::max_tokens);
    CHECK(sink.ids.empty());
}

TEST_CASE("pipeline: a sink that says stop gets no further token") {
    Tiny pipeline = load();
    Recorder sink{.stop_at = 2};
    const auto result = generate(pipeline, six_tokens, always(letter_a), sink, {});
    CHECK(result.finish_reason == FinishReason::cancelled);
    CHECK(result.usage.completion_tokens == 3);
    CHECK(sink.ids.size() == 3);
}

TEST_CASE("pipeline: cancelling stops the prompt, or the answer, and the pipeline goes on working") {
    Tiny pipeline = load();
    std::atomic<bool> cancel = true;
    Recorder nothing;
    const auto in_prompt = generate(pipeline, six_tokens, greedy(), nothing, {.cancel = &cancel});
    CHECK(in_prompt.finish_reason == FinishReason::cancelled);
    CHECK(nothing.ids.empty());

    cancel = false;
    std::size_t seen = 0;
    CallbackSink canceller([&](const TokenEvent& event) {
        ++seen;
        cancel = event.index == 1;
    });
    CHECK(generate(pipeline, six_tokens, always(letter_a), canceller, {.cancel = &cancel}).finish_reason ==
          FinishReason::cancelled);
    CHECK(seen == 2);

    Recorder again, fresh;
    generate(pipeline, six_tokens, greedy(), again, {.max_tokens = 8, .ignore_stop_tokens = true});
    Tiny other = load();
    generate(other, six_tokens, greedy(), fresh, {.max_tokens = 8, .ignore_stop_tokens = true});
    CHECK(again.ids == fresh.ids);
}

TEST_CASE("pipeline: what the cache holds of a prompt's beginning is reused, with the same tokens") {
    Tiny pipeline = load();
    const GenerateOptions options{.max_tokens = 6, .ignore_stop_tokens = true};
    Recorder first;
    generate(pipeline, six_tokens, greedy(), first, options);

    std::vector<Token> longer = six_tokens;  // the conversation goes on
    longer.insert(longer.end(), first.ids.begin(), first.ids.end());
    longer.insert(longer.end(), {7, 8, 9});
    std::vector<Token> other = six_tokens;  // and takes another way
    other[3] = 120;
    for (const auto& [next, cached] :
         {std::pair{longer, std::size_t{11}}, {six_tokens, 5}, {other, 3}, {six_tokens, 3}}) {
        Recorder reused, fresh;
        CHECK(generate(pipeline, next, greedy(), reused, options).usage.cached_tokens == cached);
        Tiny empty = load();
        generate(empty, next, greedy(), fresh, options);
        CHECK(reused.ids == fresh.ids);
    }
    pipeline.reset();
    Recorder after_reset;
    CHECK(generate(pipeline, six_tokens, greedy(), after_reset, options).usage.cached_tokens == 0);
}

TEST_CASE("pipeline: guesses that a thrown exception leaves behind change nothing that comes after") {
    struct Thrown {};
    const TempFolder folder;
    write_file(folder / "tiny.gguf", odd_model.draft().bytes());
    const auto load_one = [&] {
        auto pipeline = Pipeline<Guessing>::load(folder / "tiny.gguf", {.context = 64});
        REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
        return std::move(*pipeline);
    };
    const auto greedy_tokens = [](auto& pipeline, std::span<const Token> asked) {
        Recorder sink;
        StandardSampler sampler = greedy();
        const auto result = pipeline.generate(asked, {.max_tokens = 8, .ignore_stop_tokens = true}, sampler, sink);
        CHECK_MESSAGE(result.ok(), result.status().message());
        return sink.ids;
    };
    const std::vector<Token> other = {7, 8, 9};
    for (const std::vector<Token>& next : {six_tokens, other}) {
        for (const bool forgets : {false, true}) {
            auto pipeline = load_one();
            StandardSampler sampler = always(letter_a);
            CallbackSink sink([](const TokenEvent& event) -> Flow {
                if (event.index == 2) throw Thrown();  // the first guess has come true, two are left
                return Flow::go_on;
            });
            CHECK_THROWS_AS(static_cast<void>(pipeline.generate(std::span<const Token>(six_tokens), {.max_tokens = 20},
                                                                sampler, sink)),
                            Thrown);
            if (forgets) pipeline.reset();
            auto fresh = load_one();
            CHECK(greedy_tokens(pipeline, next) == greedy_tokens(fresh, next));
        }
    }
}

TEST_CASE("pipeline: each_logits gives the logits of every token") {
    const MemoryFile file(odd_model.draft());
    Runner<CoreOf<quant::Any, cpu::KvCacheF16>> runner(*file);
    const std::vector<Token> tokens = random_tokens(40, 1, runner.vocab());
    const std::vector<float> wanted = runner.feed(tokens);
    Tiny pipeline = load();
    std::size_t next = 0;
    const Status status = pipeline.each_logits(tokens, [&](std::size_t position, std::span<const float> logits) {
        REQUIRE(position == next);
        REQUIRE(same_bits(logits, std::span(wanted).subspan(position * runner.vocab(), runner.vocab())));
        ++next;
    });
    CHECK(status.ok());
    CHECK(next == 40);
}

TEST_CASE("pipeline: logits that are no numbers are an error, told to the sink, never a token") {
    Draft draft = odd_model.draft();
    std::vector<float> norm(40, 1.0F);
    norm[7] = std::numeric_limits<float>::quiet_NaN();
    draft.add("output_norm.weight", quant::Format::F32, {40}, norm);
    Tiny pipeline = load(draft);
    Recorder sink;
    auto sampler = greedy();
    const auto result = pipeline.generate(std::span<const Token>(six_tokens), {}, sampler, sink);
    CHECK(result.status().code() == Errc::numeric);
    CHECK(sink.ids.empty());
    CHECK(sink.errors == std::vector{result.status().message()});
    CHECK(sink.finished == 0);
}

TEST_CASE("pipeline: a token id that the model does not have is an error") {
    Tiny pipeline = load();
    Recorder sink;
    auto sampler = greedy();
    const std::vector<Token> wrong = {1, 261};
    const auto result = pipeline.generate(std::span<const Token>(wrong), {}, sampler, sink);
    CHECK(result.status().message() ==
          "forward: row 1: token 261 is not in the vocabulary of 261; give ids from 0 to 260");
}

TEST_CASE("pipeline: load options") {
    CHECK(load().context() == 64);
    CHECK(load().threads() == 2);
    CHECK(load(odd_model.draft(), {.context = 0, .threads = 1}).context() == 2048);
    CHECK(load(odd_model.draft(), {.context = 5000, .threads = 1}).context() == 2048);
    CHECK(load(odd_model.draft(), {.context = 64}).threads() >= 1);
}

TEST_CASE("pipeline: a model for no sequences is refused") {
    const TempFolder folder;
    write_file(folder / "tiny.gguf", odd_model.draft().bytes());
    const auto none = LoadedModel<Qwen3MoeCpu<>>::load(folder / "tiny.gguf", {.context = 64}, 0);
    CHECK(none.status().message() == "sequences: 0 leave no room for an answer; give at least one");
}

TEST_CASE("pipeline: a file that cannot be loaded says what is wrong") {
    const auto missing = Tiny::load("/nonexistent/model.gguf");
    CHECK(missing.status().code() == Errc::not_found);
    CHECK(missing.status().where() == "/nonexistent/model.gguf");

    Draft wide = odd_model.draft();
    const SmallVocabulary more({"h e", "Ġ t", "a b"}, {"<|endoftext|>", "<|im_start|>", "<|im_end|>"});
    wide.set("tokenizer.ggml.tokens", more.tokens)
        .set("tokenizer.ggml.token_type", more.types)
        .set("tokenizer.ggml.merges", more.merges);
    const auto refused = try_load(wide, {});
    CHECK(refused.status().code() == Errc::corrupt);
    CHECK(refused.status().what() == "has 262 tokens, but the model knows only 261");

    Draft sibling = odd_model.draft();
    sibling.set("general.architecture", std::string("qwen35moe"));
    CHECK(try_load(sibling, {}).status().what() == "is 'qwen35moe'; only 'qwen3moe' is supported");
}

TEST_CASE("pipeline: a chat prompt needs Qwen3's template in the file") {
    const std::vector<chat::Message> messages = {{.role = chat::Role::user, .content = "hi"}};
    const auto none = load().chat_prompt(messages);
    REQUIRE(!none.ok());
    CHECK(none.status().code() == Errc::unsupported);
    CHECK(none.status().what() == "is missing");
    Draft other = odd_model.draft();
    other.set("tokenizer.chat_template", std::string("{{ messages }}"));
    CHECK(load(other).chat_prompt(messages).status().what() == "is not Qwen3's");
}
