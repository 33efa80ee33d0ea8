// SPDX-License-Identifier: Apache-2.0
//! Loading and the forward pass, on random models.
#include "sluice/model/model.hpp"

#include "sluice/contracts/forward_laws.hpp"
#include "sluice/contracts/load_laws.hpp"
#include "sluice/contracts/mutants/forward_mutants.hpp"
#include "sluice/contracts/mutants/load_mutants.hpp"

using namespace sluice;
using namespace sluice::contracts;
using mutants::TrueForwardPolicies;

namespace {

Status read_model(const gguf::File& file) {
    const auto model = model::Model<TrueForwardPolicies>::read(file, 0);
    return model.ok() ? Status() : model.status();
}

}  // namespace

TEST_CASE("load laws: model::Model") { load_laws("model::Model", read_model); }
TEST_CASE("load mutants: each is caught by its law") { check_mutants(load_mutants(read_model)); }

TEST_CASE("forward laws: model::Forward") { forward_laws<TrueForwardPolicies>("model::Forward"); }
TEST_CASE("forward laws: kept with the mutants' router, without a fault") {
    mutants::FaultyRouter::next_fault = mutants::ExpertFault::none;
    auto laws = forward_law_list(forward_opener<mutants::WithFaultyRouter>());
    laws.resize(1);  // its faults are meant for the first
    check_laws("model::Forward with FaultyRouter", laws);
}
TEST_CASE("forward mutants: each is caught by its law") { check_mutants(forward_mutants()); }
