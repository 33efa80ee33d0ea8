// SPDX-License-Identifier: Apache-2.0
//! The draw: one candidate, each with its probability.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/core/random.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/weight.hpp"

namespace sluice {

//! Ends a chain by inverting the cumulative distribution of the candidates in ascending order of their ids, at one
//! number drawn for (seed, sequence, position). The token depends on which candidates are left and on nothing else that
//! the stages did. Error: NaN, +inf, or nothing but -inf among the logits.
class Multinomial {
public:
    Expected<Token> choose(Candidates& candidates, const SampleContext& context) {
        SLUICE_TRY(candidates.scan());
        Candidates::BlockDepths depths;
        Candidates::BlockWeights weights;
        block_mass_.clear();
        block_mass_.reserve(candidates.vocab_size() / Candidates::block_size + 1);
        for (std::size_t b = 0; b < candidates.block_count(); ++b) {
            candidates.measure(b, depths);
            Candidates::weigh(depths, weights);
            block_mass_.push_back(std::accumulate(weights.begin(), weights.end(), std::uint64_t{0}));
        }
        const std::uint64_t total = std::accumulate(block_mass_.begin(), block_mass_.end(), std::uint64_t{0});
        std::uint64_t target = drawn_weight(uniform(context.seed, context.sequence, context.position), total);

        std::size_t b = 0;
        while (target >= block_mass_[b]) target -= block_mass_[b++];
        candidates.measure(b, depths);
        Candidates::weigh(depths, weights);
        std::size_t i = 0;
        while (target >= weights[i]) target -= weights[i++];
        return candidates.id(b * Candidates::block_size + i);
    }

private:
    std::vector<std::uint64_t> block_mass_;
};

}  // namespace sluice
