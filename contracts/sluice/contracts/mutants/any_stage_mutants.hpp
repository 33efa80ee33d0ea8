// SPDX-License-Identifier: Apache-2.0
//! The mutations that all stages of a sampler chain can have.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/candidates.hpp"

namespace sluice::contracts::mutants {

//! A part without the check() of its parameters.
template <class Stage>
struct Unchecked : Stage {
    using Stage::Stage;
    static Status check() { return {}; }
};

template <class Stage>
struct WorksOnce : Stage {
    using Stage::Stage;
    Status apply(Candidates& candidates, const SampleContext& context) {
        return std::exchange(was_applied, true) ? Status() : Stage::apply(candidates, context);
    }
    bool was_applied = false;
};

//! Makes NaN and +inf masked tokens.
template <class Stage>
struct MendsLogits : Stage {
    using Stage::Stage;
    Status apply(Candidates& candidates, const SampleContext& context) {
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            if (candidates[i].logit < -Candidates::masked) continue;
            SLUICE_TRY(candidates.update(candidates.id(i), [](float) { return Candidates::masked; }));
        }
        return Stage::apply(candidates, context);
    }
};

//! Finds the candidates to keep by their index, and keeps those whose id it is.
template <class Stage>
struct TakesIndexForId : Stage {
    using Stage::Stage;
    Status apply(Candidates& candidates, const SampleContext& context) {
        SLUICE_TRY(candidates.scan());
        std::vector<float> row;
        for (std::size_t i = 0; i < candidates.size(); ++i) row.push_back(-candidates.depth(candidates[i].logit));
        Candidates numbered;
        SLUICE_TRY(numbered.reset(row));
        SLUICE_TRY(Stage::apply(numbered, context));
        std::vector<Token> kept;
        for (std::size_t i = 0; i < numbered.size(); ++i) kept.push_back(numbered.id(i));
        return candidates.keep_if(
            [&](const Candidate& c) { return std::binary_search(kept.begin(), kept.end(), c.id); });
    }
};

//! The tokens of the candidates that have these as their index.
inline std::vector<Token> tokens_at(const Candidates& candidates, std::vector<Token> indices) {
    for (Token& index : indices) {
        const auto i = static_cast<std::size_t>(index);
        if (i < candidates.size()) index = candidates.id(i);
    }
    return indices;
}

//! Takes a token of the history for the index of a candidate.
template <class Stage>
struct TakesHistoryForIndices : Stage {
    using Stage::Stage;
    Status apply(Candidates& candidates, SampleContext context) {
        const auto history = tokens_at(candidates, {context.history.begin(), context.history.end()});
        context.history = history;
        return Stage::apply(candidates, context);
    }
};

//! Goes on where it has found a token that is not of the vocabulary.
template <class Stage>
struct SkipsForeignTokens : Stage {
    using Stage::Stage;
    Status apply(Candidates& candidates, const SampleContext& context) {
        static_cast<void>(Stage::apply(candidates, context));
        return {};
    }
};

//! Takes the id one past the end of the vocabulary for one that it may skip.
template <class Stage>
struct SkipsOnePastEnd : Stage {
    using Stage::Stage;
    Status apply(Candidates& candidates, SampleContext context) {
        std::vector<Token> history(context.history.begin(), context.history.end());
        std::erase(history, static_cast<Token>(candidates.vocab_size()));
        context.history = history;
        return Stage::apply(candidates, context);
    }
};

}  // namespace sluice::contracts::mutants
