// SPDX-License-Identifier: Apache-2.0
//! Loading and the forward pass, on random models.
#include "sluice/model/model.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "sluice/contracts/forward_laws.hpp"
#include "sluice/contracts/load_laws.hpp"
#include "sluice/contracts/mutants/forward_mutants.hpp"
#include "sluice/contracts/mutants/load_mutants.hpp"

using namespace sluice;
using namespace sluice::contracts;
using mutants::TrueForwardPolicies;

namespace {

Status read_model(const gguf::File& file) {
    const auto model = model::ModelOf<TrueForwardPolicies>::read(file, 0);
    return model.ok() ? Status() : model.status();
}

}  // namespace

TEST_CASE("load laws: model::Model") { load_laws("model::Model", read_model); }
TEST_CASE("load mutants: each is caught by its law") { check_mutants(load_mutants(read_model)); }

TEST_CASE("forward laws: model::Forward") { forward_laws<TrueForwardPolicies>("model::Forward"); }
TEST_CASE("forward laws: over the cache of halves, but for the comparison with what rounds no key or value") {
    auto laws = forward_law_list(forward_opener<Qwen3MoeCpu<quant::Any>>());
    std::erase_if(laws, [](const Law& law) { return law.id == "forward.agrees_with_float64"; });
    check_laws("model::Forward over cpu::KvCacheF16", laws);
}
TEST_CASE("forward laws: a thousand random models are in every format of the library") {
    std::set<quant::Format> drawn;
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
        Case c(seed);
        const RandomModel model(c, RandomFormats::all);
        for (const gguf::Tensor& tensor : model.file().tensors()) drawn.insert(tensor.format);
    }
    const std::string names = quant::Any::names();
    CHECK(drawn.size() == 1 + static_cast<std::size_t>(std::count(names.begin(), names.end(), ',')));
}
TEST_CASE("forward laws: kept with the mutants' router, without a fault") {
    mutants::FaultyRouter::next_fault = mutants::ExpertFault::none;
    auto laws = forward_law_list(forward_opener<mutants::WithFaultyRouter>());
    laws.resize(1);  // its faults are meant for the first
    check_laws("model::Forward with FaultyRouter", laws);
}
TEST_CASE("forward mutants: each is caught by its law") { check_mutants(forward_mutants()); }
