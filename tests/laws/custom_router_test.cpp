// SPDX-License-Identifier: Apache-2.0
//! A router that is not the library's: it keeps the laws of the Router slot, and not the rule of Qwen3-MoE.
#include "../../samples/custom_router/router.hpp"
#include "sluice/contracts/router_laws.hpp"

using namespace sluice::contracts;

TEST_CASE("custom_router laws: the sample's router keeps the laws of the slot") {
    check_laws("BestOfEachGroup", router_slot_laws<BestOfEachGroup>());
}

TEST_CASE("custom_router laws: it is another rule, which the laws of Qwen3-MoE's notice") {
    const auto laws = router_law_list<BestOfEachGroup>();
    const Law* law = find_law(laws, "router.top_k_of_all_experts");
    REQUIRE(law != nullptr);
    CHECK(!run_law(*law, "BestOfEachGroup", 1).passed());
}
