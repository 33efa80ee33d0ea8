// SPDX-License-Identifier: Apache-2.0
#include "sluice/contracts/mutants/numerics_mutants.hpp"
#include "sluice/contracts/numerics_laws.hpp"
#include "support/backends.hpp"

using namespace sluice;
using namespace sluice::contracts;
using namespace sluice::test;

TEST_CASE("rope laws: model::RopeFrequencies and cpu::rotate_half on every back end") {
    for_each_backend([]<class V> { rope_laws<CpuRope<V>>(on_backend<V>("cpu::rotate_half")); });
}

TEST_CASE("rms_norm laws: cpu::rms_norm on every back end") {
    for_each_backend([]<class V> { rms_norm_laws<CpuRmsNorm<V>>(on_backend<V>("cpu::rms_norm")); });
}

TEST_CASE("swiglu laws: math::silu on every back end") {
    for_each_backend([]<class V> { swiglu_laws<CpuSilu<V>>(on_backend<V>("math::silu")); });
}

TEST_CASE("rope mutants: each is caught by its law") { check_mutants(rope_mutants()); }

TEST_CASE("rms_norm mutants: each is caught by its law") { check_mutants(rms_norm_mutants()); }

TEST_CASE("swiglu mutants: each is caught by its law") { check_mutants(swiglu_mutants()); }
