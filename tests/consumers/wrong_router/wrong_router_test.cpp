// SPDX-License-Identifier: Apache-2.0
//! A router that is wrong on purpose: its weights do not sum to one, as it takes them from all experts and forgets to
//! divide them by their sum.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "sluice/contracts/router_laws.hpp"
#include "sluice/cpu/router.hpp"

struct ForgetfulRouter {
    void route(std::span<float> logits, std::span<sluice::ExpertChoice> chosen) const {
        sluice::cpu::SoftmaxTopKRouter<false>().route(logits, chosen);
    }
};

TEST_CASE("my router keeps the laws") { sluice::contracts::router_laws<ForgetfulRouter>("ForgetfulRouter"); }
