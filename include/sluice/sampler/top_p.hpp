// SPDX-License-Identifier: Apache-2.0
//! Top-p (nucleus) sampling: keeps the most likely candidates that together reach the probability p
//! (Holtzman et al., "The curious case of neural text degeneration", 2020).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/weight.hpp"

namespace sluice {

//! Keeps the shortest prefix of the ranking whose probability is at least p: the token that crosses p stays.
//! Anything outside (0, 1) keeps all, but NaN is the error of check().
//!
//! Instead of sorting the vocabulary, adds up the weights in narrow buckets of the logit, and searches only the bucket
//! in which the sum crosses p.
class TopP {
public:
    explicit TopP(float p) : p_(p) {}

    Status check() const {
        if (!std::isnan(p_)) return {};
        return Status(Errc::invalid_argument, "top_p", "is not a number", "give a probability, or 1 to keep all");
    }

    Status apply(Candidates& candidates, const SampleContext&) {
        if (!(p_ > 0.0F && p_ < 1.0F)) return {};
        SLUICE_TRY(candidates.scan());

        std::uint64_t missing = nucleus_weight(p_, fill_buckets(candidates));
        std::size_t crossing = 0;
        while (mass_[crossing] < missing) missing -= mass_[crossing++];
        gather_bucket(candidates, static_cast<std::int32_t>(crossing));
        candidates.keep_through(crossing_candidate(candidates, missing));
        return {};
    }

private:
    static constexpr float buckets_per_unit = 32.0F;
    static constexpr std::size_t bucket_count = 1024;  // 32 units of depth: weights end at 27.8 = ln(2^40)

    using Buckets = std::array<std::int32_t, Candidates::block_size>;

    //! Buckets descend: a higher logit has a lower number. Those past bucket_count hold no weight.
    static std::int32_t bucket_of(float depth) {
        constexpr float bound = 1 << 20;
        const float bucket = depth * buckets_per_unit;
        return static_cast<std::int32_t>(bucket < bound ? bucket : bound);
    }
    static void sort_in(const Candidates::BlockDepths& depths, Buckets& buckets) {
        for (std::size_t i = 0; i < depths.size(); ++i) buckets[i] = bucket_of(depths[i]);
    }

    //! Sets mass_ to the sum of the weights in each bucket, and returns the sum of them all.
    std::uint64_t fill_buckets(const Candidates& candidates) {
        mass_.assign(bucket_count, 0);
        Candidates::BlockDepths depths;
        Candidates::BlockWeights weights;
        Buckets buckets;
        for (std::size_t b = 0; b < candidates.block_count(); ++b) {
            candidates.measure(b, depths);
            Candidates::weigh(depths, weights);
            sort_in(depths, buckets);
            for (std::size_t i = 0; i < depths.size(); ++i) {  // zeros may wrap around: in one place they would queue
                mass_[static_cast<std::size_t>(buckets[i]) % bucket_count] += weights[i];
            }
        }
        return std::accumulate(mass_.begin(), mass_.end(), std::uint64_t{0});
    }

    //! Puts the candidates of one bucket into the scratch space.
    static void gather_bucket(Candidates& candidates, std::int32_t bucket) {
        std::vector<Candidate>& gathered = candidates.scratch();
        gathered.clear();
        Candidates::BlockDepths depths;
        Buckets buckets;
        for (std::size_t b = 0; b < candidates.block_count(); ++b) {
            if (bucket_of(candidates.depth(candidates.block_max()[b])) > bucket) continue;
            candidates.measure(b, depths);
            sort_in(depths, buckets);
            for (std::size_t i = 0; i < depths.size(); ++i) {
                if (buckets[i] == bucket) gathered.push_back(candidates[b * Candidates::block_size + i]);
            }
        }
    }

    //! The candidate of the scratch space with which the sum of the weights, best first, reaches `missing`: halves the
    //! range that holds it, as quickselect does, by weight instead of by count.
    static Candidate crossing_candidate(Candidates& candidates, std::uint64_t missing) {
        auto first = candidates.scratch().begin(), last = candidates.scratch().end();
        const auto is_tied = [&](const Candidate& c) { return c.logit == first->logit; };
        if (std::all_of(first, last, is_tied)) {  // in ascending order of ids, which is their rank
            return first[static_cast<std::ptrdiff_t>((missing - 1) / token_weight(candidates.depth(first->logit)))];
        }
        while (last - first > 1) {
            const auto middle = first + (last - first) / 2;
            std::nth_element(first, middle, last, ranks_before);
            std::uint64_t upper = 0;
            for (auto c = first; c != middle; ++c) upper += token_weight(candidates.depth(c->logit));
            if (upper >= missing) {
                last = middle;
            } else {
                missing -= upper;
                first = middle;
            }
        }
        return *first;
    }

    float p_;
    std::vector<std::uint64_t> mass_;  // [bucket_count]
};

}  // namespace sluice
