// SPDX-License-Identifier: Apache-2.0
//! Penalties and biases of a sampler chain that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/mutants/any_stage_mutants.hpp"
#include "sluice/contracts/sampler_penalty_laws.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/logit_bias.hpp"
#include "sluice/sampler/presence_frequency.hpp"
#include "sluice/sampler/repetition_penalty.hpp"
#include "sluice/sampler/token_counts.hpp"

namespace sluice::contracts {

namespace mutants {

// ---- repetition penalty ----

//! Applies to each token of the window, in order, edit(logit, penalty): each occurrence, unless it is `once`.
template <class Edit, bool once = true>
class PenaltyByEdit {
public:
    explicit PenaltyByEdit(float penalty, std::int32_t window = 64) : penalty_(penalty), window_(window) {}
    Status check() const { return RepetitionPenalty(penalty_, window_).check(); }
    Status apply(Candidates& candidates, const SampleContext& context) const {
        const auto tokens = last_tokens(context.history, window_);
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const auto before = tokens.first(i);
            if (once && std::find(before.begin(), before.end(), tokens[i]) != before.end()) continue;
            SLUICE_TRY(candidates.update(tokens[i], [this](float x) { return Edit()(x, penalty_); }));
        }
        return {};
    }

private:
    float penalty_;
    std::int32_t window_;
};

struct PenaltyAsIs {
    float operator()(float x, float penalty) const { return x > 0.0F ? x / penalty : x * penalty; }
};
struct PenaltyDividing {
    float operator()(float x, float penalty) const { return x / penalty; }
};
struct PenaltyMultiplying {
    float operator()(float x, float penalty) const { return x * penalty; }
};
struct PenaltySubtracting {
    float operator()(float x, float penalty) const { return x - penalty; }
};
using PenaltyPerOccurrence = PenaltyByEdit<PenaltyAsIs, false>;

//! With a window `more` tokens longer, where it is neither none nor all.
template <std::int32_t more>
struct PenaltyOfLongerWindow : RepetitionPenalty {
    explicit PenaltyOfLongerWindow(float penalty, std::int32_t window = 64)
        : RepetitionPenalty(penalty, window > 0 ? window + more : window) {}
};

struct PenaltyWhereWindowZeroIsAll : RepetitionPenalty {
    explicit PenaltyWhereWindowZeroIsAll(float penalty, std::int32_t window = 64)
        : RepetitionPenalty(penalty, window == 0 ? -1 : window) {}
};

//! Takes its window from the beginning of the history.
class PenaltyOfFirstTokens {
public:
    explicit PenaltyOfFirstTokens(float penalty, std::int32_t window = 64) : all_(penalty, -1), window_(window) {}
    Status check() const {
        SLUICE_TRY(all_.check());
        return check_window(window_);
    }
    Status apply(Candidates& candidates, SampleContext context) {
        context.history = context.history.first(last_tokens(context.history, window_).size());
        return all_.apply(candidates, context);
    }

private:
    RepetitionPenalty all_;
    std::int32_t window_;
};

//! Knows no longer window than this.
struct PenaltyOfShortWindow : RepetitionPenalty {
    explicit PenaltyOfShortWindow(float penalty, std::int32_t window = 64)
        : RepetitionPenalty(penalty, std::min(window, 16)) {}
};

//! Penalises whatever its window has ever held.
class PenaltyNeverForgetting {
public:
    explicit PenaltyNeverForgetting(float penalty, std::int32_t window = 64)
        : true_(penalty, window), all_(penalty, -1), window_(window) {}
    Status check() const { return true_.check(); }
    Status apply(Candidates& candidates, SampleContext context) {
        for (const Token token : last_tokens(context.history, window_)) seen_.push_back(token);
        context.history = seen_;
        return all_.apply(candidates, context);
    }

private:
    RepetitionPenalty true_, all_;
    std::int32_t window_;
    std::vector<Token> seen_;
};

// ---- presence and frequency ----

//! Changes the penalties before they are given to the true stage.
template <class Change>
struct ChangedPresenceFrequency : PresenceFrequencyPenalty {
    ChangedPresenceFrequency(float presence, float frequency, std::int32_t window = 64)
        : ChangedPresenceFrequency(Change()(presence, frequency), window) {}

private:
    ChangedPresenceFrequency(std::pair<float, float> changed, std::int32_t window)
        : PresenceFrequencyPenalty(changed.first, changed.second, window) {}
};

struct PresencePerOccurrence {
    std::pair<float, float> operator()(float presence, float frequency) const { return {0.0F, presence + frequency}; }
};
struct FrequencyOnce {
    std::pair<float, float> operator()(float presence, float frequency) const { return {presence + frequency, 0.0F}; }
};
struct PenaltiesAdded {
    std::pair<float, float> operator()(float presence, float frequency) const { return {-presence, -frequency}; }
};

// ---- bias ----

//! Only the last of several biases for a token counts.
struct LastBiasOnly : LogitBias {
    explicit LastBiasOnly(std::vector<TokenBias> biases) : LogitBias(last_of_each(std::move(biases))) {}

private:
    static std::vector<TokenBias> last_of_each(std::vector<TokenBias> biases) {
        std::vector<TokenBias> kept;
        for (auto bias = biases.rbegin(); bias != biases.rend(); ++bias) {
            const auto same = [&](const TokenBias& other) { return other.token == bias->token; };
            if (std::none_of(kept.begin(), kept.end(), same)) kept.push_back(*bias);
        }
        return kept;
    }
};

//! Makes of a forbidden token an unlikely one.
struct BiasWithinBounds : LogitBias {
    explicit BiasWithinBounds(std::vector<TokenBias> biases) : LogitBias(bounded(std::move(biases))) {}

private:
    static std::vector<TokenBias> bounded(std::vector<TokenBias> biases) {
        for (TokenBias& bias : biases) bias.bias = std::max(bias.bias, -100.0F);
        return biases;
    }
};

//! Takes the token of a bias for the index of a candidate.
struct BiasByIndex {
    explicit BiasByIndex(std::vector<TokenBias> given) : biases(std::move(given)) {}
    Status check() const { return LogitBias(biases).check(); }
    Status apply(Candidates& candidates, const SampleContext& context) const {
        std::vector<TokenBias> moved = biases;
        for (TokenBias& bias : moved) bias.token = tokens_at(candidates, {bias.token}).front();
        return LogitBias(moved).apply(candidates, context);
    }
    std::vector<TokenBias> biases;
};

class BiasSkippingOnePastEnd {
public:
    explicit BiasSkippingOnePastEnd(std::vector<TokenBias> biases) : biases_(std::move(biases)) {}
    Status check() const { return LogitBias(biases_).check(); }
    Status apply(Candidates& candidates, const SampleContext& context) const {
        std::vector<TokenBias> biases = biases_;
        const auto end = static_cast<Token>(candidates.vocab_size());
        std::erase_if(biases, [end](const TokenBias& bias) { return bias.token == end; });
        return LogitBias(std::move(biases)).apply(candidates, context);
    }

private:
    std::vector<TokenBias> biases_;
};

}  // namespace mutants

template <SamplerStage S>
Mutant repetition_penalty_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, repetition_penalty_law_list<S>()};
}

inline std::vector<Mutant> repetition_penalty_mutants() {
    using namespace mutants;
    const auto edit = "repetition_penalty.divides_or_multiplies", bounds = "repetition_penalty.window_bounds",
               foreign = "repetition_penalty.foreign_history_is_error";
    return {
        repetition_penalty_mutant<PenaltyWhereWindowZeroIsAll>("takes a window of 0 for all",
                                                               "repetition_penalty.neutral"),
        repetition_penalty_mutant<PenaltyByEdit<PenaltySubtracting>>("subtracts the penalty",
                                                                     "repetition_penalty.neutral"),
        repetition_penalty_mutant<PenaltyByEdit<PenaltyDividing>>("divides negative logits too", edit),
        repetition_penalty_mutant<PenaltyByEdit<PenaltyMultiplying>>("multiplies positive logits too", edit),
        repetition_penalty_mutant<PenaltyPerOccurrence>("compounds the penalty for each occurrence",
                                                        "repetition_penalty.never_compounds"),
        repetition_penalty_mutant<PenaltyOfLongerWindow<1>>("has a window one too long", bounds),
        repetition_penalty_mutant<PenaltyOfLongerWindow<-1>>("has a window one too short", bounds),
        repetition_penalty_mutant<PenaltyOfFirstTokens>("takes its window from the beginning",
                                                        "repetition_penalty.window_decides_winner"),
        repetition_penalty_mutant<SkipsForeignTokens<RepetitionPenalty>>("skips foreign tokens", foreign),
        repetition_penalty_mutant<SkipsOnePastEnd<RepetitionPenalty>>("skips the id one past the end", foreign),
        repetition_penalty_mutant<Unchecked<RepetitionPenalty>>("takes any penalty",
                                                                "repetition_penalty.refuses_bad_parameters"),
        repetition_penalty_mutant<PenaltyOfShortWindow>("looks back 16 tokens at most", bounds),
        repetition_penalty_mutant<TakesHistoryForIndices<RepetitionPenalty>>("takes a token for an index", edit),
        repetition_penalty_mutant<PenaltyNeverForgetting>("never forgets a token", "repetition_penalty.nothing_stays"),
        repetition_penalty_mutant<WorksOnce<RepetitionPenalty>>("works once", "repetition_penalty.nothing_stays"),
        repetition_penalty_mutant<MendsLogits<RepetitionPenalty>>("takes bad logits for masked ones",
                                                                  "repetition_penalty.bad_logits_stay_errors"),
    };
}

template <SamplerStage S>
Mutant presence_frequency_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, presence_frequency_law_list<S>()};
}

inline std::vector<Mutant> presence_frequency_mutants() {
    using namespace mutants;
    const auto subtracts = "presence_frequency.subtracts", foreign = "presence_frequency.foreign_history_is_error";
    return {
        presence_frequency_mutant<ChangedPresenceFrequency<PresencePerOccurrence>>(
            "takes the presence penalty for each occurrence", subtracts),
        presence_frequency_mutant<ChangedPresenceFrequency<FrequencyOnce>>("takes the frequency penalty once",
                                                                           subtracts),
        presence_frequency_mutant<ChangedPresenceFrequency<PenaltiesAdded>>("adds the penalties", subtracts),
        presence_frequency_mutant<Unchecked<PresenceFrequencyPenalty>>("takes any presence penalty",
                                                                       "presence_frequency.refuses_bad_parameters"),
        presence_frequency_mutant<SkipsForeignTokens<PresenceFrequencyPenalty>>("skips foreign tokens", foreign),
        presence_frequency_mutant<SkipsOnePastEnd<PresenceFrequencyPenalty>>("skips the id one past the end", foreign),
        presence_frequency_mutant<TakesHistoryForIndices<PresenceFrequencyPenalty>>("takes a token for an index",
                                                                                    subtracts),
        presence_frequency_mutant<WorksOnce<PresenceFrequencyPenalty>>("works once",
                                                                       "presence_frequency.nothing_stays"),
        presence_frequency_mutant<MendsLogits<PresenceFrequencyPenalty>>("takes bad logits for masked ones",
                                                                         "presence_frequency.bad_logits_stay_errors"),
    };
}

template <SamplerStage S>
Mutant logit_bias_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, logit_bias_law_list<S>()};
}

inline std::vector<Mutant> logit_bias_mutants() {
    using namespace mutants;
    return {
        logit_bias_mutant<LastBiasOnly>("takes the last of several biases alone", "logit_bias.adds"),
        logit_bias_mutant<BiasWithinBounds>("makes forbidden tokens unlikely", "logit_bias.adds"),
        logit_bias_mutant<SkipsForeignTokens<LogitBias>>("skips biases of foreign tokens",
                                                         "logit_bias.foreign_token_is_error"),
        logit_bias_mutant<BiasSkippingOnePastEnd>("skips a bias of the id one past the end",
                                                  "logit_bias.foreign_token_is_error"),
        logit_bias_mutant<BiasByIndex>("takes a token for an index", "logit_bias.adds"),
        logit_bias_mutant<Unchecked<LogitBias>>("takes any bias", "logit_bias.refuses_bad_parameters"),
        logit_bias_mutant<WorksOnce<LogitBias>>("works once", "logit_bias.nothing_stays"),
        logit_bias_mutant<MendsLogits<LogitBias>>("takes bad logits for masked ones",
                                                  "logit_bias.bad_logits_stay_errors"),
    };
}

}  // namespace sluice::contracts
