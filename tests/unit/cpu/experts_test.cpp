// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/experts.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <random>
#include <vector>

#include "sluice/cpu/executor.hpp"
#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

using FloatExperts = cpu::SwiGluExperts<>;

//! Float weights of a layer and rows of activations.
struct Fixture {
    ExpertsShape shape;
    std::vector<float> gate = random_floats(shape.experts * shape.ff * shape.hidden, 1, 0.2);
    std::vector<float> up = random_floats(shape.experts * shape.ff * shape.hidden, 2, 0.2);
    std::vector<float> down = random_floats(shape.experts * shape.ff * shape.hidden, 3, 0.2);
    std::vector<float> x = random_floats(shape.max_rows * shape.hidden, 4);

    ExpertWeights weights() const {
        const auto matrix = [](const std::vector<float>& values, std::size_t cols) {
            return Matrix{reinterpret_cast<const std::byte*>(values.data()), quant::Format::F32, values.size() / cols,
                          cols, cols * sizeof(float)};
        };
        return {matrix(gate, shape.hidden), matrix(up, shape.hidden), matrix(down, shape.ff)};
    }

    std::vector<float> apply(FloatExperts& experts, const std::vector<ExpertChoice>& choices,
                             std::size_t threads) const {
        const std::size_t rows = choices.size() / shape.used;
        cpu::Activations<> activations(rows, shape.hidden, {});
        std::copy_n(x.begin(), rows * shape.hidden, activations.row(0));
        std::vector<float> output(rows * shape.hidden, -1.0F);
        cpu::ThreadPool pool(threads);
        pool.run(
            [&](auto& team) { experts.apply<quant::OnlyF32>(team, weights(), activations, choices, output.data()); });
        return output;
    }
    std::vector<float> apply(const std::vector<ExpertChoice>& choices, std::size_t threads) const {
        FloatExperts experts(shape, {});
        return apply(experts, choices, threads);
    }

    //! sum of weight * down(silu(gate x) * up x), in double precision.
    std::vector<double> naive(const std::vector<ExpertChoice>& choices) const {
        std::vector<double> output(choices.size() / shape.used * shape.hidden, 0.0);
        for (std::size_t c = 0; c < choices.size(); ++c) {
            const std::size_t row = c / shape.used, e = static_cast<std::size_t>(choices[c].expert);
            std::vector<double> inner(shape.ff);
            for (std::size_t f = 0; f < shape.ff; ++f) {
                double g = 0.0, u = 0.0;
                for (std::size_t i = 0; i < shape.hidden; ++i) {
                    const double xi = x[row * shape.hidden + i];
                    g += xi * gate[(e * shape.ff + f) * shape.hidden + i];
                    u += xi * up[(e * shape.ff + f) * shape.hidden + i];
                }
                inner[f] = g / (1.0 + std::exp(-g)) * u;
            }
            for (std::size_t i = 0; i < shape.hidden; ++i) {
                double sum = 0.0;
                for (std::size_t f = 0; f < shape.ff; ++f)
                    sum += inner[f] * down[(e * shape.hidden + i) * shape.ff + f];
                output[row * shape.hidden + i] += choices[c].weight * sum;
            }
        }
        return output;
    }

    //! Distinct experts for each row, with weights.
    std::vector<ExpertChoice> random_choices(std::size_t rows, std::uint32_t seed) const {
        std::mt19937 random(seed);
        std::vector<ExpertChoice> choices;
        for (std::size_t row = 0; row < rows; ++row) {
            std::vector<std::int32_t> ids(shape.experts);
            for (std::size_t e = 0; e < ids.size(); ++e) ids[e] = static_cast<std::int32_t>(e);
            for (std::size_t i = 0; i < shape.used; ++i) {
                std::swap(ids[i], ids[i + random() % (ids.size() - i)]);
                choices.push_back({ids[i], static_cast<float>(random() % 1000) / 1000.0F});
            }
        }
        return choices;
    }
};

}  // namespace

TEST_CASE("experts: one row to many rows that share experts, against double precision, on 1 to 8 threads") {
    const Fixture f{{.hidden = 40, .ff = 24, .experts = 6, .used = 3, .max_rows = 50}};
    for (const std::size_t rows : {1U, 2U, 50U}) {
        const auto choices = f.random_choices(rows, static_cast<std::uint32_t>(rows));
        const std::vector<float> wanted = f.apply(choices, 1);
        CHECK(nmse(wanted, f.naive(choices)) < 1e-12);
        for (std::size_t threads = 2; threads <= 8; ++threads) CHECK(same_bits(f.apply(choices, threads), wanted));
    }
}

TEST_CASE("experts: all rows to the same expert, the first and the last one included") {
    const Fixture f{{.hidden = 32, .ff = 48, .experts = 5, .used = 1, .max_rows = 20}};
    for (const std::int32_t expert : {0, 3, 4}) {
        CAPTURE(expert);
        const std::vector<ExpertChoice> choices(20, {expert, 0.5F});
        CHECK(nmse(f.apply(choices, 2), f.naive(choices)) < 1e-12);
    }
}

TEST_CASE("experts: a row's result is the same to the bit in any company, and nothing stays from call to call") {
    const Fixture f{{.hidden = 40, .ff = 24, .experts = 6, .used = 3, .max_rows = 10}};
    const auto choices = f.random_choices(10, 9);
    FloatExperts experts(f.shape, {});
    const std::vector<float> together = f.apply(experts, choices, 2);
    const std::vector<float> alone = f.apply(experts, {choices.begin(), choices.begin() + 3}, 2);
    CHECK(same_bits(alone, std::span(together).first(40)));
    CHECK(same_bits(f.apply(experts, choices, 2), together));
}

TEST_CASE("experts: results are added in the order of the choices") {
    const Fixture f{{.hidden = 32, .ff = 16, .experts = 4, .used = 3, .max_rows = 1}};
    const std::vector<ExpertChoice> choices = {{2, 0.7F}, {0, 0.2F}, {3, 0.1F}};
    std::vector<float> wanted(32, 0.0F);
    for (const ExpertChoice& choice : choices) {
        // One expert alone: its result times 1, then added as the definition says.
        const std::vector<float> result =
            f.apply({{choice.expert, 1.0F}, {(choice.expert + 1) % 4, 0.0F}, {1, 0.0F}}, 1);
        for (std::size_t i = 0; i < 32; ++i) wanted[i] = std::fma(choice.weight, result[i], wanted[i]);
    }
    CHECK(same_bits(f.apply(choices, 3), wanted));
}
