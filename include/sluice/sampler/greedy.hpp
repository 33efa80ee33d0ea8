// SPDX-License-Identifier: Apache-2.0
//! Greedy choice: the token with the highest logit.
#pragma once

#include "sluice/concepts/sampler.hpp"
#include "sluice/sampler/candidates.hpp"

namespace sluice {

//! Ends a chain with the candidate that ranks first; ties go to the lowest id. Error: NaN, +inf, or nothing
//! but -inf among the logits.
struct Greedy {
    Expected<Token> choose(Candidates& candidates, const SampleContext&) const {
        SLUICE_TRY(candidates.scan());
        return candidates.best().id;
    }
};

}  // namespace sluice
