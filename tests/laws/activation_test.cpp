// SPDX-License-Identifier: Apache-2.0
#include "sluice/contracts/activation_laws.hpp"
#include "sluice/contracts/mutants/activation_mutants.hpp"
#include "support/backends.hpp"

using namespace sluice;
using namespace sluice::contracts;
using namespace sluice::test;

TEST_CASE("activation laws: cpu::quantize_row on every back end") {
    for_each_backend([]<class V> {
        activation_laws<CpuQuantizer<V>, 32>("cpu::quantize_row<32, " + std::string(V::name) + ">");
        activation_laws<CpuQuantizer<V>, 256>("cpu::quantize_row<256, " + std::string(V::name) + ">");
    });
}

TEST_CASE("activation mutants: each is caught by its law") { check_mutants(activation_mutants()); }
