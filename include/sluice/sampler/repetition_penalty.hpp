// SPDX-License-Identifier: Apache-2.0
//! Repetition penalty: makes each token of the recent history less likely, once however often it occurs
//! (Keskar et al., "CTRL", 2019).
#pragma once

#include <cfloat>
#include <cstdint>

#include "sluice/concepts/sampler.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/token_counts.hpp"

namespace sluice {

//! Divides the positive logits of the window's tokens by `penalty` and multiplies the others by it. A penalty of 1 or a
//! window (see last_tokens()) of 0 changes nothing. Errors: a penalty that is not positive and finite, a window below
//! -1; a history with tokens outside the vocabulary.
class RepetitionPenalty {
public:
    explicit RepetitionPenalty(float penalty, std::int32_t repeat_last_n = 64)
        : penalty_(penalty), repeat_last_n_(repeat_last_n) {}

    Status check() const {
        if (!(penalty_ > 0.0F && penalty_ <= FLT_MAX)) {
            return Status(Errc::invalid_argument, "repetition_penalty",
                          to_text(penalty_) + " is not a positive finite number", "give 1 for none, or 1.05 to 1.3");
        }
        return check_window(repeat_last_n_);
    }

    Status apply(Candidates& candidates, const SampleContext& context) {
        if (penalty_ == 1.0F) return {};
        SLUICE_ASSIGN(const auto tokens,
                      counts_.count(last_tokens(context.history, repeat_last_n_), candidates.vocab_size()));
        for (const auto& [token, count] : tokens) {
            SLUICE_TRY(candidates.update(token, [&](float x) { return x > 0.0F ? x / penalty_ : x * penalty_; }));
        }
        return {};
    }

private:
    float penalty_;
    std::int32_t repeat_last_n_;
    TokenCounts counts_;
};

}  // namespace sluice
