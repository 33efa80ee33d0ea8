// SPDX-License-Identifier: Apache-2.0
//! Drafters that are wrong in one way each.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "sluice/contracts/draft_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/core/types.hpp"
#include "sluice/draft/none.hpp"
#include "sluice/draft/prompt_lookup.hpp"

namespace sluice::contracts {

namespace mutants {

using Lookup = draft::PromptLookup;

//! Goes on guessing past what it was asked for.
struct LookupWithoutBound : Lookup {
    using Lookup::Lookup;
    std::span<const Token> propose(std::span<const Token> history, std::size_t /*most*/) {
        return Lookup::propose(history, max_tokens);
    }
};

struct LookupWithoutRestart : Lookup {
    using Lookup::Lookup;
    void restart() {
        if (!begun_) Lookup::restart();
        begun_ = true;
    }
    bool begun_ = false;
};

//! Guesses as many as it may, all the time: the last tokens once more.
struct AlwaysGuessing {
    static constexpr std::size_t max_tokens = 8;
    explicit AlwaysGuessing(std::size_t /*context*/) {}
    void restart() {}
    std::span<const Token> propose(std::span<const Token> history, std::size_t most) const {
        return history.last(std::min({history.size(), most, max_tokens}));
    }
};

}  // namespace mutants

inline std::vector<Mutant> draft_mutants() {
    using namespace mutants;
    return {
        {"guesses more than it was asked for", "draft.proposes_what_was_asked_for",
         draft_law_list<LookupWithoutBound>()},
        {"guesses from the text before", "draft.forgets_at_restart", draft_law_list<LookupWithoutRestart>()},
        {"never guesses", "draft.pays_on_repetition", draft_law_list<draft::None>()},
        {"guesses without regard to what comes true", "draft.costs_little", draft_law_list<AlwaysGuessing>()},
    };
}

}  // namespace sluice::contracts
