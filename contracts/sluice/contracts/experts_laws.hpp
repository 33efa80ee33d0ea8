// SPDX-License-Identifier: Apache-2.0
//! The laws of experts: SwiGLU networks of which a row's chosen ones are summed by their weights.
//!
//!     TEST_CASE("my experts keep the laws") { sluice::contracts::experts_laws<MyExperts>("MyExperts"); }
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/concepts/executor.hpp"
#include "sluice/concepts/experts.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/oracles.hpp"
#include "sluice/contracts/tolerances.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/activations.hpp"
#include "sluice/cpu/executor.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::contracts {

namespace detail {

//! A layer of experts with float weights, and rows with their choices.
struct ExpertsInput {
    ExpertsShape shape;
    std::vector<float> gate, up;        // [experts, ff, hidden]
    std::vector<float> down;            // [experts, hidden, ff]
    std::vector<float> x;               // [rows, hidden]
    std::vector<ExpertChoice> choices;  // [rows, used]

    std::size_t rows() const { return choices.size() / shape.used; }

    ExpertWeights weights() const {
        const auto matrix = [](const std::vector<float>& values, std::size_t cols) {
            return Matrix{reinterpret_cast<const std::byte*>(values.data()), quant::Format::F32, values.size() / cols,
                          cols, cols * sizeof(float)};
        };
        return {matrix(gate, shape.hidden), matrix(up, shape.hidden), matrix(down, shape.ff)};
    }

    //! This row alone.
    ExpertsInput row(std::size_t r) const {
        ExpertsInput alone = *this;
        const auto part = [r](const auto& all, std::size_t size) {
            const auto begin = all.begin() + static_cast<std::ptrdiff_t>(r * size);
            return std::vector(begin, begin + static_cast<std::ptrdiff_t>(size));
        };
        alone.x = part(x, shape.hidden);
        alone.choices = part(choices, shape.used);
        return alone;
    }
};

//! Sizes that are no multiple of a vector as often as others; one expert, all rows to one expert and rows of zeros too.
inline ExpertsInput experts_input(Case& c) {
    ExpertsInput input;
    ExpertsShape& shape = input.shape;
    shape.hidden = c.pick<std::size_t>({1, 16, 40, c.integer<std::size_t>(1, 40)});
    shape.ff = c.pick<std::size_t>({1, 16, 20, c.integer<std::size_t>(1, 24)});
    shape.experts = c.integer<std::size_t>(1, 5);
    shape.used = c.integer(1, std::min<std::size_t>(shape.experts, 3));
    shape.max_rows = 6;
    const std::size_t rows = c.pick<std::size_t>({1, 2, c.integer<std::size_t>(1, 6)});
    const std::size_t weights = shape.experts * shape.ff * shape.hidden;
    const double scale = c.pick({1e-3, 0.2, 1.0, 4.0});
    input.gate = c.normals(weights, scale);
    input.up = c.normals(weights, scale);
    input.down = c.normals(weights, scale);
    const std::vector<std::size_t> one_for_all = c.shuffled(shape.experts);
    const bool shared = c.chance(0.25);
    for (std::size_t row = 0; row < rows; ++row) {
        const std::vector<float> x = c.normals(shape.hidden, c.pick({0.0, 0.1, 1.0, 10.0}));
        input.x.insert(input.x.end(), x.begin(), x.end());
        const std::vector<std::size_t> chosen = shared ? one_for_all : c.shuffled(shape.experts);
        for (std::size_t i = 0; i < shape.used; ++i) {
            const double weight = c.pick({0.0, 1.0, c.real(0.0, 1.0), c.real(0.0, 1e-3)});
            input.choices.push_back({static_cast<std::int32_t>(chosen[i]), static_cast<float>(weight)});
        }
    }
    c.given("hidden", shape.hidden);
    c.given("ff", shape.ff);
    c.given("experts", shape.experts);
    c.given("used", shape.used);
    c.given("choices", input.choices);
    return input;
}

//! What the laws ask of experts whatever their type, so that they are compiled once.
class AnyExperts {
public:
    virtual ~AnyExperts() = default;
    //! What they make of the input: [rows, hidden], of which each number was `held` before.
    virtual std::vector<float> apply(cpu::ThreadPool& team, const ExpertsInput& input, float held = -1.0F) = 0;
};

using MakeExperts = std::unique_ptr<AnyExperts> (*)(const ExpertsShape& shape);

//! V is the back end of the activations that E reads.
template <class E, class V>
class ExpertsOf : public AnyExperts {
public:
    static std::unique_ptr<AnyExperts> make(const ExpertsShape& shape) { return std::make_unique<ExpertsOf>(shape); }
    explicit ExpertsOf(const ExpertsShape& shape) : experts_(shape, cpu::ActivationForms()) {}

    std::vector<float> apply(cpu::ThreadPool& team, const ExpertsInput& input, float held) override {
        cpu::Activations<V> x(input.rows(), input.shape.hidden, {});
        std::copy(input.x.begin(), input.x.end(), x.row(0));
        std::vector<float> output(input.x.size(), held);
        const ExpertWeights weights = input.weights();
        team.run([&](cpu::ThreadPool::Team& member) {
            experts_.template apply<quant::OnlyF32>(member, weights, x, input.choices, output.data());
        });
        return output;
    }

private:
    E experts_;
};

//! What experts of this kind make of the input, on one thread.
inline std::vector<float> applied(MakeExperts make, const ExpertsInput& input) {
    cpu::ThreadPool alone(1);
    return make(input.shape)->apply(alone, input);
}

//! A row's sum of weight * term(expert, x) over its choices.
template <class Term>
oracle::Vector sum_of_choices(const ExpertsInput& row, Term term) {
    const std::size_t size = row.shape.ff * row.shape.hidden;
    oracle::Vector sum(row.shape.hidden, 0.0);
    for (const auto& [expert, weight] : row.choices) {
        const auto part = [&, e = static_cast<std::size_t>(expert)](const std::vector<float>& stack) {
            const std::span<const float> matrix = std::span(stack).subspan(e * size, size);
            return std::vector(matrix.begin(), matrix.end());
        };
        const oracle::Vector y =
            term(oracle::Expert{part(row.gate), part(row.up), part(row.down)}, oracle::to_doubles(row.x));
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(weight) * y[i];
    }
    return sum;
}

}  // namespace detail

//! All laws of the Experts slot.
inline std::vector<Law> experts_law_list(detail::MakeExperts make) {
    using namespace detail;
    const auto three = std::make_shared<cpu::ThreadPool>(3);
    return {
        {"experts.weighted_sum_of_swiglu",
         "A row becomes the sum of weight * down(silu(gate x) * up x) of its choices.",
         [make](Case& c) {
             const ExpertsInput input = experts_input(c);
             const std::vector<float> got = applied(make, input);
             for (std::size_t r = 0; r < input.rows(); ++r) {
                 const ExpertsInput row = input.row(r);
                 c.near("row " + to_text(r), std::span(got).subspan(r * input.shape.hidden, input.shape.hidden),
                        sum_of_choices(row, oracle::swiglu), sum_of_choices(row, oracle::swiglu_magnitude),
                        tolerance::experts);
             }
         }},
        {"experts.sum_in_order_of_choices", "The results are added in the order of the choices.",
         [make](Case& c) {
             // 2^30 y - 2^30 y + y is y; in any other order y is lost, or less exact.
             ExpertsInput input = experts_input(c);
             input.shape.experts = input.shape.used = 3;
             for (std::vector<float>* stack : {&input.gate, &input.up, &input.down}) {
                 const std::vector<float> one(
                     stack->begin(), stack->begin() + static_cast<std::ptrdiff_t>(input.shape.ff * input.shape.hidden));
                 for (int copy = 1; copy < 3; ++copy) stack->insert(stack->begin(), one.begin(), one.end());
                 stack->resize(3 * one.size());
             }
             input.x.resize(input.shape.hidden);
             const std::vector<std::size_t> order = c.shuffled(3);
             const auto choose = [&](float first, float second, float third) {
                 input.choices = {{static_cast<std::int32_t>(order[0]), first},
                                  {static_cast<std::int32_t>(order[1]), second},
                                  {static_cast<std::int32_t>(order[2]), third}};
                 return applied(make, input);
             };
             const std::vector<float> alone = choose(0.0F, 0.0F, 1.0F);
             const std::vector<float> last = choose(0x1p30F, -0x1p30F, 1.0F);
             for (std::size_t i = 0; i < alone.size(); ++i) c.equal("sum", last[i], alone[i]);
         }},
        {"experts.row_alone", "A row's result has the same bits alone and among other rows.",
         [make](Case& c) {
             const ExpertsInput input = experts_input(c);
             const std::size_t r = c.integer<std::size_t>(0, input.rows() - 1), hidden = input.shape.hidden;
             c.given("row", r);
             const std::vector<float> together = applied(make, input);
             c.same_bits("result", std::span(together).subspan(r * hidden, hidden), applied(make, input.row(r)));
         }},
        {"experts.any_team", "The result has the same bits from any number of threads.",
         [make, three](Case& c) {
             const ExpertsInput input = experts_input(c);
             c.same_bits("result of three threads", make(input.shape)->apply(*three, input), applied(make, input));
         }},
        {"experts.nothing_stays", "A result has the same bits whatever was computed before and whatever `output` held.",
         [make](Case& c) {
             const ExpertsInput input = experts_input(c);
             ExpertsInput other = input;
             for (ExpertChoice& choice : other.choices) choice.weight = static_cast<float>(c.real(0.0, 1.0));
             other.x = c.normals(input.x.size());
             const auto experts = make(input.shape);
             cpu::ThreadPool alone(1);
             const std::vector<float> first = experts->apply(alone, input);
             experts->apply(alone, other);
             constexpr float nan = std::numeric_limits<float>::quiet_NaN();
             c.same_bits("result", experts->apply(alone, input, c.pick({5.0F, nan})), first);
         }},
        {"experts.linear_in_weights", "Weights twice as large give exactly twice the result.",
         [make](Case& c) {
             ExpertsInput input = experts_input(c);
             std::vector<float> expected = applied(make, input);
             for (float& y : expected) y *= 2.0F;
             for (ExpertChoice& choice : input.choices) choice.weight *= 2.0F;
             const std::vector<float> got = applied(make, input);
             // A result so small that it is subnormal is rounded otherwise than its double.
             constexpr double smallest = std::numeric_limits<float>::min();
             for (std::size_t i = 0; i < got.size(); ++i) c.near("result", got[i], expected[i], {0.0, smallest});
         }},
    };
}

//! V is the back end of the activations that E reads.
template <class E, class V = simd::Native>
std::vector<Law> experts_law_list() {
    return experts_law_list(detail::ExpertsOf<E, V>::make);
}

//! Checks all laws of experts, inside a doctest test case.
template <class E, class V = simd::Native>
void experts_laws(std::string_view subject) {
    check_laws(subject, experts_law_list<E, V>());
}

}  // namespace sluice::contracts
