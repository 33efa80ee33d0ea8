// SPDX-License-Identifier: Apache-2.0
//! Top-k: keeps the k candidates that rank first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/sampler/candidates.hpp"

namespace sluice {

//! 0 keeps all; 1 is greedy sampling; a negative k is the error of check().
class TopK {
public:
    explicit TopK(std::int32_t k) : k_(k) {}

    Status check() const {
        if (k_ >= 0) return {};
        return Status(Errc::invalid_argument, "top_k", to_text(k_) + " is negative",
                      "give a number of tokens, or 0 to keep all");
    }

    Status apply(Candidates& candidates, const SampleContext&) {
        const auto k = static_cast<std::size_t>(k_);
        if (k == 0 || k >= candidates.size()) return {};
        SLUICE_TRY(candidates.scan());

        // The k-th highest block maximum: at least k candidates reach it, one in each of k blocks, and few more. What
        // only ties with it after the first k such blocks ranks below them.
        if (k <= candidates.block_count()) {
            block_max_.assign(candidates.block_max().begin(), candidates.block_max().end());
            const auto kth = block_max_.begin() + (k_ - 1);
            std::nth_element(block_max_.begin(), kth, block_max_.end(), std::greater<>());
            std::size_t blocks = 0;
            for (std::size_t reached = 0; reached < k; ++blocks) reached += candidates.block_max()[blocks] >= *kth;
            const std::size_t end = std::min(blocks * Candidates::block_size, candidates.size());
            candidates.keep_through({*kth, candidates.id(end - 1)});
            if (candidates.size() <= k) return {};
            SLUICE_TRY(candidates.scan());
        }
        std::vector<Candidate>& ranked = candidates.scratch();
        ranked.resize(candidates.size());
        for (std::size_t i = 0; i < ranked.size(); ++i) ranked[i] = candidates[i];
        const auto kth = ranked.begin() + (k_ - 1);
        std::nth_element(ranked.begin(), kth, ranked.end(), ranks_before);
        candidates.keep_through(*kth);
        return {};
    }

private:
    std::int32_t k_;
    std::vector<float> block_max_;
};

}  // namespace sluice
