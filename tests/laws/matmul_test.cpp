// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/matmul.hpp"

#include "sluice/contracts/matmul_laws.hpp"
#include "sluice/contracts/mutants/matmul_mutants.hpp"
#include "sluice/quant/sets.hpp"
#include "support/backends.hpp"

using namespace sluice;
using namespace sluice::contracts;
using namespace sluice::test;

TEST_CASE_TEMPLATE("matmul laws: cpu::multiply on every back end", F, quant::Q4_K, quant::Q5_K, quant::Q6_K,
                   quant::Q8_0, quant::Q4_0, quant::Q5_0, quant::F32, quant::F16, quant::BF16) {
    for_each_backend([]<class V> {
        matmul_laws<CpuKernels<V>, F>("cpu::multiply<" + std::string(F::name) + ", " + std::string(V::name) + ">");
    });
}

TEST_CASE("matmul mutants: each is caught by its law") { check_mutants(matmul_mutants()); }
