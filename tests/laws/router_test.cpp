// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/router.hpp"

#include "sluice/contracts/mutants/router_mutants.hpp"
#include "sluice/contracts/router_laws.hpp"
#include "support/backends.hpp"

using namespace sluice;
using namespace sluice::contracts;
using namespace sluice::test;

TEST_CASE("router laws: cpu::SoftmaxTopKRouter on every back end") {
    for_each_backend([]<class V> {
        router_laws<cpu::SoftmaxTopKRouter<true, V>>(on_backend<V>("cpu::SoftmaxTopKRouter"));
        router_laws<cpu::SoftmaxTopKRouter<false, V>>(on_backend<V>("cpu::SoftmaxTopKRouter") + " with plain weights",
                                                      RouterWeights::plain);
    });
}

TEST_CASE("router mutants: each is caught by its law") { check_mutants(router_mutants()); }
