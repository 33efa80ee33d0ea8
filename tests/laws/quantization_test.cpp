// SPDX-License-Identifier: Apache-2.0
#include "sluice/contracts/mutants/quantization_mutants.hpp"
#include "sluice/contracts/quantization_laws.hpp"
#include "sluice/quant/sets.hpp"

using namespace sluice;
using namespace sluice::contracts;

TEST_CASE_TEMPLATE("quantization laws: each format", F, quant::Q4_K, quant::Q5_K, quant::Q6_K, quant::Q8_0, quant::Q4_0,
                   quant::Q5_0, quant::F32, quant::F16, quant::BF16) {
    quantization_laws<F>("quant::" + std::string(F::name));
}

TEST_CASE("quantization mutants: each is caught by its law") { check_mutants(quantization_mutants()); }
