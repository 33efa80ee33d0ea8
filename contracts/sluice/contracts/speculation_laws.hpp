// SPDX-License-Identifier: Apache-2.0
//! The laws of speculation: with a drafter a pipeline does all that it does without one, in fewer forward passes.
//!
//!     TEST_CASE("my drafter changes nothing") { sluice::contracts::speculation_laws<MyPolicies>("MyPolicies", path); }
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/any_pipeline.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/draws.hpp"
#include "sluice/contracts/fakes.hpp"
#include "sluice/contracts/pipeline_laws.hpp"
#include "sluice/contracts/text_oracles.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/types.hpp"
#include "sluice/draft/none.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::contracts {

//! A drafter that was told the text, and errs now and then: right and wrong guesses come in every order.
class ToldDrafter {
public:
    static constexpr std::size_t max_tokens = 6;
    static inline std::vector<Token> text;  //!< prompt and answer

    explicit ToldDrafter(std::size_t /*context*/) {}
    static void restart() {}
    std::span<const Token> propose(std::span<const Token> history, std::size_t most) {
        Draws draws(history.size());
        guesses_.resize(draws.integer<std::size_t>(0, std::min(most, max_tokens)));
        for (std::size_t i = 0; i < guesses_.size(); ++i) {
            const std::size_t at = history.size() + i;
            const Token truth = at < text.size() ? text[at] : 0;
            guesses_[i] = draws.chance(0.8) ? truth : truth / 2;
        }
        return guesses_;
    }

private:
    std::vector<Token> guesses_;
};

namespace detail {

//! What is asked of a pipeline, and when the sink wants no more.
struct Question {
    std::vector<Token> prompt;
    GenerateOptions options{.max_tokens = 16, .ignore_stop_tokens = true};
    SamplingParams params{};
    std::size_t stop_at = RecordingSink::never, cancel_at = RecordingSink::never;  // numbers of events
};

//! All that can be known of an answer.
struct Heard final : RecordingSink {
    Heard(AnyPipeline& asked, const Question& question)
        : RecordingSink(question.stop_at), pipe(&asked), before(asked.rows()), cancel_at(question.cancel_at) {}

    Flow on_token(const TokenEvent& event) override {
        rows_at.push_back(rows());
        if (event.index == cancel_at) cancel = true;
        return RecordingSink::on_token(event);
    }
    //! Computed so far for this question.
    std::size_t rows() const { return pipe->rows() - before; }

    AnyPipeline* pipe;
    std::size_t before, cancel_at;
    std::atomic<bool> cancel = false;
    std::vector<std::size_t> rows_at;  // before each event
    std::size_t all_rows = 0;          // at the end
};

inline std::unique_ptr<Heard> ask(const Case& c, PipelineSubject& pipe, const Question& question) {
    auto heard = std::make_unique<Heard>(pipe.pipeline(), question);
    GenerateOptions options = question.options;
    options.cancel = &heard->cancel;
    static_cast<void>(pipe.stream(c, question.prompt, options, question.params, *heard));
    heard->all_rows = heard->rows();
    return heard;
}

//! A pipeline without guesses and one with, on the same file.
class Twins {
public:
    Twins(const OpenPipeline& plain, const OpenPipeline& guessing)
        : plain_(plain, options), guessing_(guessing, options) {}

    Question question(Case& c) {
        plain_->reset();
        guessing_->reset();
        Question drawn{.prompt = plain_.prompt(c)};
        drawn.options.seed = c.bits();
        drawn.params = {.temperature = c.pick({0.0F, 0.7F, 1.2F}),
                        .repetition_penalty = c.pick({1.0F, 1.2F}),
                        .presence_penalty = c.pick({0.0F, 0.3F}),
                        .frequency_penalty = c.pick({0.0F, 0.2F}),
                        .repeat_last_n = c.pick({-1, 8})};
        c.given("temperature", drawn.params.temperature);
        if (c.chance(0.5)) {  // a text that repeats itself
            drawn.params.logit_bias = {{drawn.prompt.front(), 12.0F}, {drawn.prompt.back(), 12.0F}};
        }
        return drawn;
    }

    //! Lets one of the six ends come early.
    void end(Case& c, Question& question) {
        const auto soon = c.integer<std::size_t>(0, 12);
        const auto kind = c.seed() % 6;
        c.given("end", kind);
        if (kind == 0) question.options.max_tokens = soon;
        if (kind == 1) question.options.max_tokens = RecordingSink::never;  // the context is full
        if (kind == 2) question.stop_at = soon;
        if (kind == 3) question.cancel_at = soon;
        if (kind == 4) {
            const std::string text = ask(c, plain_, question)->text();
            const std::string stop = text.substr(text.size() / 3, 3);
            question.options.stop = {stop.empty() || !oracle::is_utf8(stop) ? "e" : stop};
            plain_->reset();
        }
        if (kind == 5) {
            question.options.ignore_stop_tokens = false;
            question.params.temperature = 1.0F;
            question.params.logit_bias = {{plain_.stop_token(c), 10.0F}};
        }
    }

    //! Asks both, and states that they answer alike.
    std::unique_ptr<Heard> same_answer(const Case& c, const Question& question) {
        const auto expected = ask(c, plain_, question);
        ToldDrafter::text = joined(question.prompt, expected->ids);
        auto heard = ask(c, guessing_, question);
        c.equal("errors", heard->errors, expected->errors);
        c.equal("tokens", heard->ids, expected->ids);
        c.equal("texts", heard->texts, expected->texts);
        c.equal("numbers of the events", heard->indices, expected->indices);
        c.equal("stop tokens", heard->stops, expected->stops);
        c.equal("ends", heard->results.size(), expected->results.size());
        for (std::size_t i = 0; i < heard->results.size(); ++i) {
            const GenerationResult &got = heard->results[i], &wanted = expected->results[i];
            c.equal("finish reason", openai_name(got.finish_reason), openai_name(wanted.finish_reason));
            c.expect(got.finish_reason == wanted.finish_reason, "the finish reason is another one of that name");
            c.equal("prompt tokens", got.usage.prompt_tokens, wanted.usage.prompt_tokens);
            c.equal("cached tokens", got.usage.cached_tokens, wanted.usage.cached_tokens);
            c.equal("completion tokens", got.usage.completion_tokens, wanted.usage.completion_tokens);
        }
        return heard;
    }

    //! ... and that their caches hold as much.
    void same_cache(const Case& c) { c.equal("positions in the cache", guessing_->held(), plain_->held()); }

private:
    static inline const LoadOptions options{.context = 64, .threads = 1, .batch = 64, .interleave_limit = 0};
    PipelineSubject plain_, guessing_;
};

}  // namespace detail

//! Of the pipelines that `guessing` gives, against those of `plain`, which are the same but for the drafter.
inline std::vector<Law> speculation_law_list(const OpenPipeline& plain, const OpenPipeline& guessing,
                                             std::size_t cases = 12) {
    using namespace detail;
    const auto twins = std::make_shared<Twins>(plain, guessing);
    return {
        {"speculation.same_answer",
         "Tokens, texts and usage are those without guesses, greedy or drawn, with penalties.",
         [=](Case& c) { twins->same_answer(c, twins->question(c)); }, cases},
        {"speculation.same_end",
         "A budget, a full context, a stop token, a stop string, the sink and a cancellation end it at the same token.",
         [=](Case& c) {
             Question question = twins->question(c);
             twins->end(c, question);
             twins->same_answer(c, question);
         },
         cases},
        {"speculation.same_conversation",
         "The cache holds no guess afterwards: what follows finds as much of it, and answers alike.",
         [=](Case& c) {
             Question question = twins->question(c);
             twins->end(c, question);
             const auto first = twins->same_answer(c, question);
             twins->same_cache(c);
             question.prompt = joined(question.prompt, first->ids);
             question.prompt.resize(std::min<std::size_t>(question.prompt.size(), 40));
             question.prompt.push_back(7);
             question.cancel_at = question.stop_at = RecordingSink::never;
             question.options.stop.clear();
             twins->same_answer(c, question);
         },
         cases},
        {"speculation.counts_rows",
         "Each pass yields a token and those guessed right; it costs a row and those guessed. No event waits for a "
         "later pass.",
         [=](Case& c) {
             const Question question = twins->question(c);
             const auto heard = twins->same_answer(c, question);
             const auto [drafted, accepted] = heard->results.at(0).drafts;
             const std::size_t passes = heard->ids.size() - 1 - accepted;  // after the prompt's
             c.equal("rows", heard->all_rows, question.prompt.size() + passes + drafted);
             c.equal("rows at the first event", heard->rows_at.front(), question.prompt.size());
             c.equal("rows at the last event", heard->rows_at.back(), heard->all_rows);
             const std::set<std::size_t> distinct(heard->rows_at.begin(), heard->rows_at.end());
             c.equal("passes before events", distinct.size(), 1 + passes);
         },
         cases},
        {"speculation.saves_passes", "Of a text that says one word over and over, guesses save a third of the passes.",
         [=](Case& c) {
             Question question = twins->question(c);
             question.params = {.logit_bias = {{question.prompt.front(), 1e6F}}};
             question.options.max_tokens = 40;
             const auto heard = twins->same_answer(c, question);
             c.between<std::size_t>("passes saved", heard->results.at(0).drafts.accepted, 13, 39);
         },
         cases},
    };
}

template <class P>
struct WithoutDrafter : P {
    using Drafter = draft::None;
};

//! Checks that the drafter of these policies changes nothing, inside a doctest test case. Plain are the same policies
//! without one.
template <class P, class Plain = WithoutDrafter<P>>
void speculation_laws(std::string_view subject, const std::filesystem::path& model, std::size_t cases = 12) {
    check_laws(subject, speculation_law_list(opener<Plain>(model), opener<P>(model), cases));
}

}  // namespace sluice::contracts
