// SPDX-License-Identifier: Apache-2.0
//! Temperature: divides the logits, so that more than 1 flattens the distribution and less sharpens it.
#pragma once

#include <cfloat>

#include "sluice/concepts/sampler.hpp"
#include "sluice/sampler/candidates.hpp"

namespace sluice {

//! A temperature is at least 0 and finite; all else is the error of check(). At 0, the limit, only the best candidate
//! stays: greedy sampling, whatever stages follow.
class Temperature {
public:
    explicit Temperature(float temperature) : temperature_(temperature) {}

    Status check() const {
        if (temperature_ >= 0.0F && temperature_ <= FLT_MAX) return {};
        return Status(Errc::invalid_argument, "temperature", to_text(temperature_) + " is negative or not finite",
                      "give 0 (greedy) or a positive number");
    }

    Status apply(Candidates& candidates, const SampleContext&) const {
        if (temperature_ == 0.0F) {
            SLUICE_TRY(candidates.scan());
            candidates.keep_through(candidates.best());
        } else {
            candidates.divide_by(temperature_);
        }
        return {};
    }

private:
    float temperature_;
};

}  // namespace sluice
