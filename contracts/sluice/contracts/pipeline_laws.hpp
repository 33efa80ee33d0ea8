// SPDX-License-Identifier: Apache-2.0
//! The laws of the whole pipeline, for any bundle of policies with the standard sampler, on a small model file.
//!
//!     TEST_CASE("my pipeline keeps the laws") { sluice::contracts::pipeline_laws<MyPolicies>("MyPolicies", path); }
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/any_pipeline.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/fakes.hpp"
#include "sluice/contracts/text_oracles.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/types.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::contracts {

namespace detail {

//! One generation: what the sink was told and what came back.
struct Generated {
    RecordingSink sink;
    Expected<GenerationResult> result = GenerationResult();
};

//! A pipeline that is put to laws.
class PipelineSubject {
public:
    static constexpr std::size_t context = 64;

    PipelineSubject(const OpenPipeline& open, const LoadOptions& options) : pipe_(open(options)) {}

    AnyPipeline& pipeline() { return *pipe_; }
    AnyPipeline* operator->() { return pipe_.get(); }

    Expected<GenerationResult> stream(const Case& c, const std::vector<Token>& prompt, const GenerateOptions& options,
                                      const SamplingParams& params, AnySink& sink) {
        StandardSampler sampler = value_of(c, make_standard_sampler(params));
        return pipe_->generate(prompt, options, sampler, sink);
    }

    Generated generate(const Case& c, const std::vector<Token>& prompt, const GenerateOptions& options,
                       const SamplingParams& params = {}, std::size_t stop_at = RecordingSink::never) {
        Generated all{RecordingSink(stop_at)};
        all.result = stream(c, prompt, options, params, all.sink);
        return all;
    }

    //! `count` tokens, stop tokens not heeded.
    std::vector<Token> tokens(const Case& c, const std::vector<Token>& prompt, std::size_t count,
                              const SamplingParams& params = {}, std::uint64_t seed = 0) {
        Generated all = generate(c, prompt, {.max_tokens = count, .seed = seed, .ignore_stop_tokens = true}, params);
        value_of(c, std::move(all.result));
        return all.sink.ids;
    }

    //! The beginning of a story, or any tokens at all.
    std::vector<Token> prompt(Case& c) {
        std::vector<Token> drawn(c.integer<std::size_t>(1, 20));
        const auto vocabulary = static_cast<Token>(pipe_->vocab_size());
        for (Token& token : drawn) token = c.integer(0, vocabulary - 1);
        if (c.chance(0.6)) {
            drawn = value_of(c, pipe_->text_prompt(c.pick<std::string_view>(
                                    {"Once upon a time, there was a", "Pip was a curious little",
                                     "One quiet morning, a turtle named", "\"Yes, please!\" said"})));
        }
        c.given("prompt", drawn);
        return drawn;
    }

    //! Either of the model's two.
    Token stop_token(Case& c) const {
        const std::string_view text = c.pick<std::string_view>({"<|im_end|>", "<|endoftext|>"});
        c.given("stop token", text);
        const auto token = pipe_->find_special(text);
        c.expect(token.has_value(), "the model has no such token");
        return *token;
    }

private:
    std::unique_ptr<AnyPipeline> pipe_;
};

//! Counts the rows that are computed before each event.
struct RowsAtEvents final : AnySink {
    explicit RowsAtEvents(AnyPipeline& asked) : pipe(&asked), before(asked.rows()) {}

    Flow on_token(const TokenEvent&) override {
        rows.push_back(pipe->rows() - before);
        return Flow::go_on;
    }

    AnyPipeline* pipe;
    std::size_t before;
    std::vector<std::size_t> rows;
};

inline std::vector<Token> joined(std::vector<Token> first, const std::vector<Token>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

}  // namespace detail

//! Of the pipelines that `open` gives. Each case runs the model several times: a trained model takes few cases, a model
//! of the smallest sizes a thousand.
inline std::vector<Law> pipeline_law_list(const OpenPipeline& open, std::size_t cases = 8) {
    using namespace detail;
    constexpr std::size_t context = PipelineSubject::context;
    const LoadOptions plain{.context = context, .threads = 1, .batch = 32, .interleave_limit = 0};
    const auto pipe = std::make_shared<PipelineSubject>(open, plain);
    const auto params = [](Case& c) {
        SamplingParams drawn{.temperature = c.pick({0.0F, 0.7F, 1.2F}), .repetition_penalty = c.pick({1.0F, 1.2F})};
        c.given("temperature", drawn.temperature);
        return drawn;
    };
    //! Empties the cache and draws a prompt.
    const auto begin = [pipe](Case& c) {
        (*pipe)->reset();
        return pipe->prompt(c);
    };
    return {
        {"pipeline.event_before_next_step",
         "Each token is handed to the sink before the next one is computed: n rows behind the prompt for event n.",
         [=](Case& c) {
             const std::vector<Token> prompt = begin(c);
             RowsAtEvents sink(pipe->pipeline());
             const SamplingParams how = params(c);
             value_of(c, pipe->stream(c, prompt, {.max_tokens = 8, .ignore_stop_tokens = true}, how, sink));
             std::vector<std::size_t> expected;
             for (std::size_t i = 0; i < 8; ++i) expected.push_back(prompt.size() + i);
             c.equal("rows computed at each event", sink.rows, expected);
         },
         cases},
        {"pipeline.one_row_per_token",
         "A token costs one row, also in a conversation that goes on: nothing is done again.",
         [=](Case& c) {
             std::vector<Token> prompt = begin(c);
             const std::vector<Token> answer = pipe->tokens(c, prompt, 6);
             prompt = joined(prompt, answer);
             prompt.push_back(5);
             const std::size_t before = (*pipe)->rows();
             pipe->tokens(c, prompt, 4);
             // The last token of an answer is sampled but not computed.
             c.equal("rows computed for a prompt of 2 new tokens and 4 to answer", (*pipe)->rows() - before, 2U + 3U);
         },
         cases},
        {"pipeline.one_call_or_many", "Tokens that are streamed are those of asking for one after the other.",
         [=](Case& c) {
             const std::vector<Token> prompt = begin(c);
             const SamplingParams how = params(c);
             const std::uint64_t seed = c.bits();
             const std::vector<Token> streamed = pipe->tokens(c, prompt, 8, how, seed);
             std::vector<Token> single;
             for (int i = 0; i < 8; ++i) {
                 single = joined(single, pipe->tokens(c, joined(prompt, single), 1, how, seed));
             }
             c.equal("tokens", streamed, single);
         },
         cases},
        {"pipeline.text_is_the_tokens", "The texts of the events, one after the other, are the tokens' text.",
         [=](Case& c) {
             const Generated all = pipe->generate(
                 c, begin(c), {.max_tokens = 12, .seed = c.bits(), .ignore_stop_tokens = true}, params(c));
             std::string expected;
             for (const Token token : all.sink.ids) expected += (*pipe)->shown(token);
             c.equal("text", all.sink.text(), oracle::repaired(expected));
         },
         cases},
        {"pipeline.sink_ends_it", "A sink that says stop gets no further token, and the generation is cancelled.",
         [=](Case& c) {
             const auto last = c.integer<std::size_t>(0, 5);
             c.given("last event", last);
             const Generated all =
                 pipe->generate(c, begin(c), {.max_tokens = 8, .ignore_stop_tokens = true}, params(c), last);
             c.equal("events", all.sink.ids.size(), last + 1);
             const GenerationResult result = value_of(c, all.result);
             c.expect(result.finish_reason == FinishReason::cancelled, "the reason is another than cancelled");
             c.equal("completion tokens", result.usage.completion_tokens, last + 1);
         },
         cases},
        {"pipeline.greedy_is_deterministic", "At temperature 0, or top_k 1 at temperature 5, three runs are the same.",
         [=](Case& c) {
             const std::vector<Token> prompt = begin(c);
             const std::vector<Token> greedy = pipe->tokens(c, prompt, 8, {}, c.bits());
             for (const SamplingParams& how : {SamplingParams{}, SamplingParams{.temperature = 5.0F, .top_k = 1}}) {
                 (*pipe)->reset();
                 c.equal("tokens", pipe->tokens(c, prompt, 8, how, c.bits()), greedy);
             }
         },
         cases},
        {"pipeline.same_seed_same_tokens", "The same seed gives the same tokens again.",
         [=](Case& c) {
             const std::vector<Token> prompt = begin(c);
             const std::uint64_t seed = c.pick({std::uint64_t{42}, c.bits()});
             const std::vector<Token> first = pipe->tokens(c, prompt, 12, {.temperature = 0.7F}, seed);
             (*pipe)->reset();
             c.equal("tokens", pipe->tokens(c, prompt, 12, {.temperature = 0.7F}, seed), first);
         },
         cases},
        {"pipeline.seeds_differ", "Neighbouring seeds differ within 16 tokens, and 32 seeds begin in 3 ways at least.",
         [=](Case& c) {
             const std::vector<Token> prompt = begin(c);
             const std::uint64_t first = c.pick({std::uint64_t{42}, c.bits()});
             c.given("first seed", first);
             const auto told = [&](std::uint64_t seed, std::size_t count) {
                 return pipe->tokens(c, prompt, count, {.temperature = 0.7F}, seed);
             };
             c.expect(told(first, 16) != told(first + 1, 16), "two seeds give the same 16 tokens");
             std::set<std::vector<Token>> distinct;
             for (std::uint64_t i = 0; i < 32; ++i) distinct.insert(told(first + i, 6));
             c.between<std::size_t>("beginnings of 32 seeds", distinct.size(), 3, 32);
         },
         cases},
        {"pipeline.cached_equals_recomputed",
         "Greedy tokens are the arg max of the logits of the whole text computed at once.",
         [=](Case& c) {
             const std::vector<Token> prompt = begin(c);
             const std::vector<Token> answer = pipe->tokens(c, prompt, 8);
             const std::vector<Token> whole = joined(prompt, answer);
             std::vector<Token> expected;
             const Status status = (*pipe)->each_logits(whole, [&](std::size_t i, std::span<const float> logits) {
                 if (i + 1 < prompt.size() || i + 1 == whole.size()) return;
                 expected.push_back(
                     static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
             });
             c.expect(status.ok(), status.message());
             c.equal("tokens", answer, expected);
         },
         cases},
        {"pipeline.reuse_changes_nothing",
         "A prompt gives the same tokens whatever the cache held: its own beginning, more than that, or another text.",
         [=](Case& c) {
             const std::vector<Token> first = begin(c);
             const std::vector<Token> told = joined(first, pipe->tokens(c, first, 10));
             const auto kept = c.integer<std::size_t>(0, told.size());
             c.given("kept of the first text", kept);
             std::vector<Token> next(told.begin(), told.begin() + static_cast<std::ptrdiff_t>(kept));
             next = joined(next, pipe->prompt(c));
             next.resize(std::min(next.size(), context - 8));
             const std::vector<Token> reused = pipe->tokens(c, next, 8);
             (*pipe)->reset();
             c.equal("tokens", reused, pipe->tokens(c, next, 8));
         },
         cases},
        {"pipeline.way_of_computing_changes_nothing",
         "The tokens are the same from any batch size, thread count and layout of the weights.",
         [=, other = std::make_shared<PipelineSubject>(
                 open, LoadOptions{.context = context, .threads = 2, .batch = 7})](Case& c) {
             const std::vector<Token> prompt = begin(c);
             (*other)->reset();
             const std::uint64_t seed = c.bits();
             const SamplingParams how{.temperature = 1.0F};
             c.equal("tokens of two threads, batches of 7 and interleaved weights",
                     other->tokens(c, prompt, 10, how, seed), pipe->tokens(c, prompt, 10, how, seed));
         },
         cases},
        {"pipeline.usage_counts", "The usage counts the prompt, what the cache held of it, and one event per token.",
         [=](Case& c) {
             const std::vector<Token> prompt = begin(c);
             const auto count = c.integer<std::size_t>(1, 6);
             const GenerateOptions options{.max_tokens = count, .ignore_stop_tokens = true};
             for (const std::size_t cached : {std::size_t{0}, prompt.size() - 1}) {
                 const Generated all = pipe->generate(c, prompt, options);
                 const Usage usage = value_of(c, all.result).usage;
                 c.equal("prompt tokens", usage.prompt_tokens, prompt.size());
                 c.equal("cached tokens", usage.cached_tokens, cached);
                 c.equal("completion tokens", usage.completion_tokens, count);
                 c.equal("events", all.sink.ids.size(), count);
                 c.equal("ends told to the sink", all.sink.results.size(), 1U);
             }
         },
         cases},
        {"pipeline.finish_reasons", "The reason is what ended it: a stop token, the budget, or the context.",
         [=](Case& c) {
             const std::vector<Token> prompt = begin(c);
             const std::size_t room = context - prompt.size();
             const auto reason = [&](const GenerateOptions& options, const SamplingParams& how, std::size_t events) {
                 const Generated all = pipe->generate(c, prompt, options, how);
                 c.equal("events", all.sink.ids.size(), events);
                 return value_of(c, all.result).finish_reason;
             };
             const Token stop = pipe->stop_token(c);
             const SamplingParams stopping{.logit_bias = {{stop, 1e6F}}}, going{.logit_bias = {{stop, -1e6F}}};
             c.expect(reason({.max_tokens = c.integer<std::size_t>(1, 3)}, stopping, 1) == FinishReason::stop_token,
                      "a stop token ends it for another reason");
             c.expect(reason({.max_tokens = 3, .ignore_stop_tokens = true}, going, 3) == FinishReason::max_tokens,
                      "the budget ends it for another reason");
             c.expect(reason({.max_tokens = room, .ignore_stop_tokens = true}, going, room) == FinishReason::max_tokens,
                      "a budget as large as the context's room ends it for another reason");
             c.expect(reason({.ignore_stop_tokens = true}, going, room) == FinishReason::context_full,
                      "the context ends it for another reason");
         },
         cases},
        {"pipeline.stop_string_is_not_shown", "A stop string ends the text before it, wherever tokens cut it.",
         [=](Case& c) {
             const std::vector<Token> prompt = begin(c);
             GenerateOptions options{.max_tokens = 12, .ignore_stop_tokens = true};
             const std::string whole = pipe->generate(c, prompt, options).sink.text();
             std::string stop = whole.substr(c.integer<std::size_t>(0, whole.size() / 2), c.integer<std::size_t>(1, 6));
             if (stop.empty() || !oracle::is_utf8(stop)) stop = "e";
             c.given("stop string", stop);
             options.stop = {stop};
             const Generated cut = pipe->generate(c, prompt, options);
             const oracle::Stopped expected = oracle::stopped(whole, options.stop);
             c.equal("text", cut.sink.text(), expected.text);
             c.equal("ended by it", value_of(c, cut.result).finish_reason == FinishReason::stop_string,
                     expected.stopped);
         },
         cases},
        {"pipeline.bad_prompts_are_errors",
         "A prompt that is empty, foreign or leaves no room is an error, told to the sink once, and nothing is "
         "sampled.",
         [=](Case& c) {
             std::vector<Token> prompt = begin(c);
             const auto vocabulary = static_cast<Token>((*pipe)->vocab_size());
             switch (c.integer(0, 2)) {
                 case 0:
                     prompt.clear();
                     break;
                 case 1:
                     prompt[c.integer<std::size_t>(0, prompt.size() - 1)] = c.pick({-1, vocabulary, vocabulary + 1000});
                     break;
                 default:
                     prompt.resize(context + c.integer<std::size_t>(0, 5), 7);
             }
             c.given("bad prompt", prompt);
             const Generated all = pipe->generate(c, prompt, {.max_tokens = 2});
             c.expect(!all.result.ok(), "it is answered");
             c.equal("errors told to the sink", all.sink.errors.size(), 1U);
             c.equal("events and ends", all.sink.ids.size() + all.sink.results.size(), 0U);
         },
         cases},
    };
}

//! Checks all laws of a pipeline of these policies, inside a doctest test case.
template <class P>
void pipeline_laws(std::string_view subject, const std::filesystem::path& model, std::size_t cases = 8) {
    check_laws(subject, pipeline_law_list(opener<P>(model), cases));
}

}  // namespace sluice::contracts
