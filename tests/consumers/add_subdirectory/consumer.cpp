// SPDX-License-Identifier: Apache-2.0
//! A user of one component: the router alone, on four experts' logits.
#include <array>
#include <cstdio>

#include "sluice/cpu/router.hpp"

int main() {
    std::array<float, 4> logits = {0.0F, 2.0F, -1.0F, 2.0F};
    std::array<sluice::ExpertChoice, 2> chosen = {};
    sluice::cpu::SoftmaxTopKRouter<>().route(logits, chosen);
    for (const auto& [expert, weight] : chosen) std::printf("expert %d with weight %.3f\n", expert, double{weight});
}
