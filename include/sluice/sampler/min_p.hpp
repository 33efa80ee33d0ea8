// SPDX-License-Identifier: Apache-2.0
//! Min-p: keeps the candidates at least min_p times as likely as the best one (Nguyen et al., "Turning up the heat:
//! min-p sampling", 2024).
#pragma once

#include "sluice/concepts/sampler.hpp"
#include "sluice/core/math.hpp"
#include "sluice/sampler/candidates.hpp"

namespace sluice {

//! 0 keeps all; anything outside [0, 1] is the error of check().
class MinP {
public:
    explicit MinP(float min_p) : min_p_(min_p), deepest_(deepest(min_p)) {}

    Status check() const {
        if (min_p_ >= 0.0F && min_p_ <= 1.0F) return {};
        return Status(Errc::invalid_argument, "min_p", to_text(min_p_) + " is outside [0, 1]", "give 0 to keep all");
    }

    Status apply(Candidates& candidates, const SampleContext&) const {
        if (min_p_ == 0.0F) return {};
        SLUICE_TRY(candidates.scan());
        candidates.keep_within(deepest_);
        return {};
    }

    //! -ln(min_p), by bisection of our own exp: the logarithms of standard libraries differ.
    static float deepest(float min_p) {
        float low = 0.0F, high = 87.0F;
        for (int i = 0; i < 40; ++i) {
            const float middle = (low + high) / 2;
            (math::exp(-middle) >= min_p ? low : high) = middle;
        }
        return low;
    }

private:
    float min_p_, deepest_;
};

}  // namespace sluice
