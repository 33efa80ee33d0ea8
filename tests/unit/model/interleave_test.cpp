// SPDX-License-Identifier: Apache-2.0
#include "sluice/model/interleave.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <limits>

#include "sluice/model/load.hpp"
#include "sluice/quant/sets.hpp"
#include "support/tiny_model.hpp"

using namespace sluice;
using namespace sluice::test;
using quant::Format;

namespace {

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

struct Loaded {
    model::Weights weights;
    std::size_t experts;
};

Loaded load(const MemoryFile& file, std::size_t limit) {
    const auto h = model::read_hyperparameters(*file);
    REQUIRE(h.ok());
    auto weights = model::read_weights<quant::Any>(*file, h->shape);
    REQUIRE(weights.ok());
    model::interleave<quant::Any>(*weights, h->shape.experts, limit);
    return {std::move(*weights), h->shape.experts};
}

}  // namespace

TEST_CASE("interleave: copies every matrix that is multiplied, and leaves the embedding and floats where they are") {
    const MemoryFile file(TinyModel{}.in(Format::Q4_K, Format::Q6_K).draft());
    const model::Weights w = load(file, no_limit).weights;
    const auto is_copy = [&](const Matrix& m) {
        const bool inside = m.data >= w.copies.data() && m.data < w.copies.data() + w.copies.size();
        CHECK(inside == m.interleaved);
        return m.interleaved;
    };
    for (const model::LayerWeights& l : w.layers) {
        for (const Matrix& m : {l.q, l.k, l.v, l.o, l.experts.gate, l.experts.up, l.experts.down}) CHECK(is_copy(m));
        CHECK_FALSE(is_copy(l.router));
    }
    CHECK(is_copy(w.output));
    CHECK_FALSE(is_copy(w.embedding));
}

TEST_CASE("interleave: weights above the limit stay in the file") {
    const MemoryFile file(TinyModel{}.in(Format::Q8_0).draft());
    const std::size_t bytes = load(file, no_limit).weights.copies.size();
    REQUIRE(bytes > 0);
    CHECK(load(file, bytes).weights.copies.size() == bytes);
    const model::Weights w = load(file, bytes - 1).weights;
    CHECK(w.copies.size() == 0);
    CHECK_FALSE(w.layers[0].q.interleaved);
}
