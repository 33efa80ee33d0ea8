// SPDX-License-Identifier: Apache-2.0
//! A plain loop of speculation, and the ways in which it can be wrong.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/any_pipeline.hpp"
#include "sluice/contracts/fakes.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/mutants/pipeline_mutants.hpp"
#include "sluice/contracts/speculation_laws.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/types.hpp"
#include "sluice/pipeline/answer.hpp"
#include "sluice/pipeline/loaded_model.hpp"
#include "sluice/sampler/standard.hpp"
#include "sluice/sink/notify.hpp"

namespace sluice::contracts {

namespace mutants {

enum class SpeculationFault {
    none,
    trusts_guesses,
    draws_by_the_pass,
    keeps_wrong_guesses,
    penalises_guesses,
    counts_guesses_as_tokens,
    guesses_beyond_the_room,
    hears_stop_between_passes,
    hears_cancel_between_passes,
    leaves_guesses_behind,
    counts_right_guesses_only,
    tells_at_the_end,
    never_guesses,
};

//! A plain loop in the place of a pipeline's own. One forward pass computes a whole prompt.
class PlainSpeculation : public PipelineAround {
    using P = Counted<TruePolicies>;
    using Fault = SpeculationFault;

public:
    static OpenPipeline opener(const std::filesystem::path& model, Fault fault) {
        return [=](const LoadOptions& options) {
            return std::make_unique<PlainSpeculation>(contracts::opener<TruePolicies>(model)(options),
                                                      value_or_throw(LoadedModel<P>::load(model, options)), fault);
        };
    }
    PlainSpeculation(std::unique_ptr<AnyPipeline> true_one, LoadedModel<P> model, Fault fault)
        : PipelineAround(std::move(true_one)), fault_(fault), model_(std::move(model)) {}

    Answer generate(std::span<const Token> prompt, const GenerateOptions& options, StandardSampler& sampler,
                    AnySink& sink) override {
        Buffering buffer(sink);
        AnySink& ear = fault_ == Fault::tells_at_the_end ? buffer : sink;
        Answer answer = run(prompt, options, sampler, ear);
        notify_outcome(ear, answer);
        return answer;
    }
    void reset() override { model_.cache.truncate(0, 0); }
    std::size_t held() const override { return model_.cache.length(0); }

private:
    Answer run(std::span<const Token> prompt, const GenerateOptions& options, StandardSampler& sampler, AnySink& sink) {
        SLUICE_ASSIGN(sluice::Answer answer, sluice::Answer::create(options, model_.context - prompt.size()));
        GenerationResult result;
        result.usage = {prompt.size(), 0, reuse(prompt)};
        std::vector<Token> pass(prompt.begin() + static_cast<std::ptrdiff_t>(result.usage.cached_tokens), prompt.end());
        SLUICE_TRY(compute(pass, 1));
        std::vector<Token> guesses;
        while (!answer.end()) {
            for (std::size_t row = 0; !answer.end(); ++row) {
                SLUICE_ASSIGN(Token token, sampler.sample(logits(row), sample_context(options, row, guesses)));
                if (fault_ == Fault::trusts_guesses && row < guesses.size()) token = guesses[row];
                history_.push_back(token);
                const Flow flow = sink.on_token(answer.add(model_.vocabulary, token));
                const bool goes_on = row < guesses.size() && guesses[row] == token;
                const bool cancelled = options.cancel != nullptr && *options.cancel;
                if (flow == Flow::stop && !(fault_ == Fault::hears_stop_between_passes && goes_on)) answer.cancel();
                if (cancelled && !(fault_ == Fault::hears_cancel_between_passes && goes_on)) answer.cancel();
                if (answer.end() || !goes_on) break;
                ++result.drafts.accepted;
            }
            if (fault_ != Fault::keeps_wrong_guesses && !(fault_ == Fault::leaves_guesses_behind && answer.end())) {
                model_.cache.truncate(0, history_.size() - 1);
            }
            if (answer.end()) break;
            guesses = propose(answer.left(), options);
            result.drafts.drafted += guesses.size();
            pass = {history_.back()};
            pass.insert(pass.end(), guesses.begin(), guesses.end());
            SLUICE_TRY(compute(pass, pass.size()));
        }
        auto& [drafted, accepted] = result.drafts;
        result.finish_reason = *answer.end();
        result.usage.completion_tokens = answer.tokens();
        if (fault_ == Fault::counts_guesses_as_tokens) result.usage.completion_tokens += drafted - accepted;
        if (fault_ == Fault::counts_right_guesses_only) drafted = accepted;
        return result;
    }

    std::size_t reuse(std::span<const Token> prompt) {
        const std::size_t held = std::min({model_.cache.length(0), prompt.size() - 1, history_.size()});
        const auto end = prompt.begin() + static_cast<std::ptrdiff_t>(held);
        const auto same = std::mismatch(prompt.begin(), end, history_.begin()).first - prompt.begin();
        model_.cache.truncate(0, static_cast<std::size_t>(same));
        history_.assign(prompt.begin(), prompt.end());
        return static_cast<std::size_t>(same);
    }

    Status compute(std::span<const Token> tokens, std::size_t wanted) {
        std::vector<Row> rows;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const auto position = static_cast<std::int32_t>(model_.cache.length(0) + i);
            rows.push_back({tokens[i], 0, position, i + wanted >= tokens.size()});
        }
        logits_.resize(wanted * model_.forward.vocab());
        return model_.forward(*model_.executor, model_.cache, rows, logits_);
    }

    std::vector<Token> propose(std::size_t left, const GenerateOptions& options) {
        const std::size_t room = fault_ == Fault::guesses_beyond_the_room ? ToldDrafter::max_tokens : left - 1;
        const auto guesses =
            drafter_.propose(history_, fault_ == Fault::never_guesses ? 0 : std::min(room, options.max_draft));
        return {guesses.begin(), guesses.end()};
    }

    std::span<float> logits(std::size_t row) {
        return std::span(logits_).subspan(row * model_.forward.vocab(), model_.forward.vocab());
    }

    SampleContext sample_context(const GenerateOptions& options, std::size_t row, std::span<const Token> guesses) {
        std::size_t position = history_.size();
        if (fault_ == Fault::draws_by_the_pass) position -= row;
        seen_ = history_;
        if (fault_ == Fault::penalises_guesses && row < guesses.size()) {
            seen_.insert(seen_.end(), guesses.begin() + static_cast<std::ptrdiff_t>(row), guesses.end());
        }
        return {seen_, options.seed, 0, static_cast<std::uint32_t>(position)};
    }

    SpeculationFault fault_;
    LoadedModel<P> model_;
    ToldDrafter drafter_{0};
    std::vector<float> logits_;
    std::vector<Token> history_, seen_;
};

}  // namespace mutants

//! On a small model file, as for the laws.
inline std::vector<Mutant> speculation_mutants(const std::filesystem::path& model) {
    using namespace mutants;
    using Fault = SpeculationFault;
    const auto mutant = [&](Fault fault, std::string_view name, std::string_view law) {
        return Mutant{std::string(name), law,
                      speculation_law_list(opener<TruePolicies>(model), PlainSpeculation::opener(model, fault), 200)};
    };
    const std::string_view answer = "speculation.same_answer", end = "speculation.same_end",
                           conversation = "speculation.same_conversation", rows = "speculation.counts_rows";
    return {
        mutant(Fault::trusts_guesses, "accepts a wrong guess", answer),
        mutant(Fault::draws_by_the_pass, "draws the same number for all rows of a pass", answer),
        mutant(Fault::keeps_wrong_guesses, "forgets to truncate the cache", answer),
        mutant(Fault::penalises_guesses, "penalises tokens that are only guessed", answer),
        mutant(Fault::counts_guesses_as_tokens, "counts wrong guesses as tokens", answer),
        mutant(Fault::guesses_beyond_the_room, "guesses beyond the context", end),
        mutant(Fault::hears_stop_between_passes, "hears the sink's stop between passes only", end),
        mutant(Fault::hears_cancel_between_passes, "hears a cancellation between passes only", end),
        mutant(Fault::leaves_guesses_behind, "leaves guesses in the cache at the end", conversation),
        mutant(Fault::counts_right_guesses_only, "counts right guesses only", rows),
        mutant(Fault::tells_at_the_end, "tells the sink of all tokens at the end", rows),
        mutant(Fault::never_guesses, "never asks for guesses", "speculation.saves_passes"),
    };
}

}  // namespace sluice::contracts
