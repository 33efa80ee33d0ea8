// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/experts.hpp"

#include "sluice/contracts/experts_laws.hpp"
#include "sluice/contracts/mutants/experts_mutants.hpp"
#include "support/backends.hpp"

using namespace sluice;
using namespace sluice::contracts;
using namespace sluice::test;

TEST_CASE("experts laws: cpu::SwiGluExperts on every back end") {
    for_each_backend([]<class V> { experts_laws<cpu::SwiGluExperts<V>, V>(on_backend<V>("cpu::SwiGluExperts")); });
}

TEST_CASE("experts mutants: each is caught by its law") { check_mutants(experts_mutants()); }
