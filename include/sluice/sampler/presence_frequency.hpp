// SPDX-License-Identifier: Apache-2.0
//! Presence and frequency penalties, as in the OpenAI API: subtracted from the logits of tokens already in the window.
#pragma once

#include <cmath>
#include <cstdint>

#include "sluice/concepts/sampler.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/token_counts.hpp"

namespace sluice {

//! logit -= presence + frequency * (occurrences in the window), for each token of the window (see last_tokens()). 0 and
//! 0 change nothing. Errors: a penalty that is not finite, a window below -1; a history with tokens outside the
//! vocabulary.
class PresenceFrequencyPenalty {
public:
    PresenceFrequencyPenalty(float presence, float frequency, std::int32_t repeat_last_n = 64)
        : presence_(presence), frequency_(frequency), repeat_last_n_(repeat_last_n) {}

    Status check() const {
        SLUICE_TRY(check_finite("presence_penalty", presence_));
        SLUICE_TRY(check_finite("frequency_penalty", frequency_));
        return check_window(repeat_last_n_);
    }

    Status apply(Candidates& candidates, const SampleContext& context) {
        if (presence_ == 0.0F && frequency_ == 0.0F) return {};
        SLUICE_ASSIGN(const auto tokens,
                      counts_.count(last_tokens(context.history, repeat_last_n_), candidates.vocab_size()));
        for (const auto& [token, count] : tokens) {
            const float penalty = std::fma(frequency_, static_cast<float>(count), presence_);
            SLUICE_TRY(candidates.update(token, [&](float x) { return x - penalty; }));
        }
        return {};
    }

private:
    static Status check_finite(const char* field, float value) {
        if (std::isfinite(value)) return {};
        return Status(Errc::invalid_argument, field, to_text(value) + " is not a finite number", "give -2 to 2");
    }

    float presence_, frequency_;
    std::int32_t repeat_last_n_;
    TokenCounts counts_;
};

}  // namespace sluice
