// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/dot_reference.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <random>
#include <vector>

#include "sluice/quant/row.hpp"
#include "sluice/quant/sets.hpp"

using namespace sluice;

TEST_CASE_TEMPLATE("dot_reference: the dot product of the decoded numbers", F, quant::Q4_K, quant::Q5_K, quant::Q6_K,
                   quant::Q8_0, quant::Q4_0, quant::Q5_0, quant::F32, quant::F16, quant::BF16) {
    constexpr std::size_t k = F::block_size == 1 ? 1000 : 1024;
    std::mt19937 random(11);
    std::normal_distribution<float> normal;
    std::vector<float> x(k), w(k);
    for (float& value : x) value = normal(random);
    for (float& value : w) value = normal(random);
    std::vector<typename F::Block> row(k / F::block_size);
    const auto bytes = reinterpret_cast<std::byte*>(row.data());
    quant::encode_row<F>(w.data(), k, bytes);
    quant::decode_row<F>(bytes, k, w.data());
    alignas(64) std::byte storage[2048];
    typename F::Activation view;
    if constexpr (FloatFormat<F>) {
        view = {x.data()};
    } else {
        view = quant::quantize_reference<F::block_size>(x, storage);
        for (std::size_t i = 0; i < k; ++i) x[i] = view.d[i / F::block_size] * view.q[i];
    }
    double dot = 0, norm = 0;
    for (std::size_t i = 0; i < k; ++i) {
        dot += static_cast<double>(w[i]) * x[i];
        norm += std::fabs(static_cast<double>(w[i]) * x[i]);
    }
    CHECK(std::fabs(quant::dot_reference<F>(row.data(), k, view) - dot) <= norm * 1e-6);
}

TEST_CASE("dot_reference: float rows are summed in sixteen strides and a tree") {
    // From 2^24 on floats are even, and halves round to multiples of four: which additions meet decides the result.
    std::vector<float> ones(40, 1.0F), w(40, 0.0F);
    w[0] = 16777216.0F;
    w[16] = 1.0F;         // into stride 0 itself: lost
    w[8] = w[24] = 1.0F;  // stride 8, joined to stride 0 as one 2
    w[1] = w[9] = 1.0F;   // strides 1 and 9, joined to stride 0 last
    w[34] = w[3] = 1.0F;  // the tail's stride 2 goes to stride 0 (2^24 + 3 becomes + 4), stride 3 to stride 1
    CHECK(quant::dot_reference<quant::F32>(w.data(), 40, {ones.data()}) == 16777224.0F);
    CHECK(quant::dot_reference<quant::F32>(w.data(), 34, {ones.data()}) == 16777220.0F);
}
