// SPDX-License-Identifier: Apache-2.0
//! Qwen3-MoE's router: softmax over all experts, the k most probable, their weights scaled to sum to one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "sluice/concepts/router.hpp"
#include "sluice/core/math.hpp"
#include "sluice/cpu/simd.hpp"

namespace sluice::cpu {

//! In place: x[i] = e^x[i] / sum(e^x), the sum in 16 strided partial sums and the fixed tree.
template <class V = simd::Native>
void softmax(std::span<float> x) {
    const auto maximum = V::set(*std::max_element(x.begin(), x.end()));
    const auto each = [&](auto f) {
        for (std::size_t i = 0; i < x.size(); i += simd::lanes) f(&x[i], std::min(simd::lanes, x.size() - i));
    };
    auto sums = V::zero();
    each([&](float* p, std::size_t n) {
        V::store_first(p, math::exp<V>(V::sub(V::load_first(p, n), maximum)), n);
        sums = V::add(sums, V::load_first(p, n));
    });
    const auto inverse = V::set(1.0F / V::sum(sums));
    each([&](float* p, std::size_t n) { V::store_first(p, V::mul(V::load_first(p, n), inverse), n); });
}

//! The chosen experts come most probable first; of equal ones the lower id. Renormalise = false keeps the plain
//! probabilities (`norm_topk_prob` of the model's original configuration).
template <bool Renormalise = true, class V = simd::Native>
struct SoftmaxTopKRouter {
    void route(std::span<float> logits, std::span<ExpertChoice> chosen) const {
        softmax<V>(logits);
        std::size_t held = 0;
        for (std::size_t expert = 0; expert < logits.size(); ++expert) {
            const float p = logits[expert];
            if (held == chosen.size() && !(p > chosen[held - 1].weight)) continue;
            std::size_t at = held < chosen.size() ? held++ : held - 1;
            for (; at > 0 && p > chosen[at - 1].weight; --at) chosen[at] = chosen[at - 1];
            chosen[at] = {static_cast<std::int32_t>(expert), p};
        }
        if constexpr (Renormalise) {
            float sum = 0.0F;
            for (const ExpertChoice& choice : chosen) sum += choice.weight;
            for (ExpertChoice& choice : chosen) choice.weight /= sum;
        }
    }
};

static_assert(Router<SoftmaxTopKRouter<>>);

}  // namespace sluice::cpu
