// SPDX-License-Identifier: Apache-2.0
//! What model::Forward refuses is tested in forward_test.cpp, which goes through select_wanted.
#include "sluice/model/batch.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <vector>

#include "sluice/cpu/kv_cache.hpp"
#include "sluice/quant/sets.hpp"

using namespace sluice;
using quant::Format;

TEST_CASE("batch: each batch of activations gets the forms that its readers ask for, in any layer") {
    const auto matrix = [](Format format) { return Matrix{.format = format}; };
    model::Weights weights;
    weights.output = matrix(Format::Q8_0);
    model::LayerWeights plain{}, mixed{};
    mixed.v = matrix(Format::Q6_K);
    mixed.o = matrix(Format::Q4_0);
    mixed.experts.down = matrix(Format::Q4_K);
    weights.layers = {plain, mixed};
    const model::LayerForms forms = model::layer_forms<quant::Any>(weights);
    CHECK((forms.normed.q8_32 && forms.normed.q8_256));
    CHECK((forms.mixed.q8_32 && !forms.mixed.q8_256));
    CHECK((!forms.inner.q8_32 && forms.inner.q8_256));
}

TEST_CASE("batch: the rows that want logits, in order, as far as there is room for them") {
    const cpu::KvCacheF32 cache({.layers = 1, .kv_heads = 1, .head_dim = 16, .sequences = 2, .capacity = 4});
    const std::vector<Row> rows = {{3, 0, 0, true}, {4, 1, 0, false}, {5, 0, 1, true}};
    std::vector<std::size_t> wanted;
    CHECK(model::select_wanted(cache, rows, 10, 3, 20, wanted).ok());
    CHECK(wanted == std::vector<std::size_t>{0, 2});
    CHECK(model::select_wanted(cache, rows, 10, 3, 19, wanted).where() == "forward: logits");
    CHECK(model::select_wanted(cache, rows, 10, 2, 20, wanted).where() == "forward");
    CHECK(model::select_wanted(cache, rows, 5, 3, 20, wanted).where() == "forward: row 2");
}

TEST_CASE("batch: a cache of blocks refuses heads that are not whole blocks") {
    CHECK(model::check_head_dim<cpu::KvCacheQ8_0>(64).ok());
    CHECK(model::check_head_dim<cpu::KvCacheF16>(48).ok());
    const Status status = model::check_head_dim<cpu::KvCacheQ8_0>(48);
    CHECK(status.code() == Errc::unsupported);
    CHECK(status.what() == "stores blocks of 32 elements, but this model's heads have 48");
}
