// SPDX-License-Identifier: Apache-2.0
//! Qwen3-MoE's router on the device: softmax over all experts, the k most probable, their weights scaled to sum to one,
//! in one kernel; the bits of cpu/router.hpp.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "sluice/core/math.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/context.hpp"

namespace sluice::cuda {

//! The chosen experts come most probable first; of equal ones the lower id. A block, one warp, is one row.
struct RouteRows {
    static constexpr unsigned threads = warp_size;
    static constexpr std::size_t most_experts = 1024;

    const float* logits;  //!< [rows, experts]
    std::size_t experts, used;
    unsigned count;
    ExpertChoice* chosen;  //!< [rows, used]

    Dim grid() const { return {count}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        struct Shared {
            float probability[most_experts];
        };
        float* p = t.template shared<Shared>().probability;
        const std::size_t r = t.block().x;
        softmax(t, logits + r * experts, p);

        ExpertChoice* to = chosen + r * used;
        float sum = 0.0F;
        for (std::size_t i = 0; i < used; ++i) {
            // Probabilities are not negative: they compare as their bits do. What is taken becomes the smallest key.
            std::uint64_t best = 0;
            for (std::size_t e = t.thread(); e < experts; e += threads) {
                const std::uint64_t key = p[e] < 0.0F ? 0 : key_of(p[e], e);
                if (key > best) best = key;
            }
            for (unsigned mask = warp_size / 2; mask > 0; mask /= 2) {
                const std::uint64_t other = t.shuffle_xor(best, mask);
                if (other > best) best = other;
            }
            const auto expert = std::numeric_limits<std::uint32_t>::max() - static_cast<std::uint32_t>(best);
            const auto probability = std::bit_cast<float>(static_cast<std::uint32_t>(best >> 32));
            sum += probability;
            if (expert % threads == t.thread()) {
                p[expert] = -1.0F;
                to[i] = {static_cast<std::int32_t>(expert), probability};
            }
        }
        t.sync_warp();
        for (std::size_t i = 0; i < used; ++i) {
            if (static_cast<unsigned>(to[i].expert) % threads == t.thread()) to[i].weight /= sum;
        }
    }

private:
    static SLUICE_HD std::uint64_t key_of(float p, std::size_t expert) {
        return std::uint64_t{std::bit_cast<std::uint32_t>(p)} << 32 |
               (std::numeric_limits<std::uint32_t>::max() - static_cast<std::uint32_t>(expert));
    }

    //! p = e^x / sum(e^x). A lane writes, here and later, the elements i that have i % 32 = its number.
    template <class T>
    SLUICE_HD void softmax(T& t, const float* x, float* p) const {
        float highest = -std::numeric_limits<float>::infinity();
        for (std::size_t e = t.thread(); e < experts; e += threads) highest = x[e] > highest ? x[e] : highest;
        for (unsigned mask = warp_size / 2; mask > 0; mask /= 2) {
            const float other = t.shuffle_xor(highest, mask);
            highest = other > highest ? other : highest;
        }
        for (std::size_t e = t.thread(); e < experts; e += threads) p[e] = math::exp(x[e] - highest);
        t.sync_warp();
        float partial = 0.0F;
        for (std::size_t e = t.thread() % 16; e < experts; e += 16) partial += p[e];
        const float inverse = 1.0F / detail::sum_lanes(t, partial);
        t.sync_warp();
        for (std::size_t e = t.thread(); e < experts; e += threads) p[e] *= inverse;
    }
};

}  // namespace sluice::cuda
