// SPDX-License-Identifier: Apache-2.0
//! The laws of the steps between the matrices: rotary embedding, RMS normalization, the activation of SwiGLU.
//!
//!     TEST_CASE("my norm keeps the laws") { sluice::contracts::rms_norm_laws<MyNorm>("MyNorm"); }
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/tolerances.hpp"
#include "sluice/contracts/transformer_oracles.hpp"
#include "sluice/core/math.hpp"
#include "sluice/cpu/norm.hpp"
#include "sluice/cpu/rope.hpp"
#include "sluice/cpu/simd.hpp"
#include "sluice/model/rope.hpp"

namespace sluice::contracts {

//! The library's rotary embedding on one back end: turn(head, position) turns a head of head_dim floats.
template <class V = simd::Native>
class CpuRope {
public:
    CpuRope(std::size_t head_dim, double theta, const model::RopeScaling& scaling)
        : frequencies_(head_dim, theta, scaling) {}

    void turn(float* head, std::int32_t position) const {
        std::vector<float> cosines(frequencies_.pairs()), sines(frequencies_.pairs());
        frequencies_.at(position, cosines.data(), sines.data());
        cpu::rotate_half<V>(head, cosines.data(), sines.data(), frequencies_.pairs());
    }

private:
    model::RopeFrequencies frequencies_;
};

//! The library's normalization on one back end.
template <class V = simd::Native>
struct CpuRmsNorm {
    static void normalize(const float* x, const float* weight, std::size_t n, float eps, float* y) {
        cpu::rms_norm<V>(x, weight, n, eps, y);
    }
};

//! The library's SiLU on one back end, in place.
template <class V = simd::Native>
struct CpuSilu {
    static void apply(float* x, std::size_t n) {
        for (std::size_t i = 0; i < n; i += simd::lanes) {
            const std::size_t part = std::min(simd::lanes, n - i);
            V::store_first(x + i, math::silu<V>(V::load_first(x + i, part)), part);
        }
    }
};

namespace detail {

//! A head to be turned, and by what.
struct RopeInput {
    std::size_t dim;
    double theta;
    model::RopeScaling scaling;
    std::int32_t position;
    std::vector<float> head;

    oracle::Rope expected() const { return oracle::rope(dim, theta, scaling); }
};

inline model::RopeScaling rope_scaling(Case& c) {
    model::RopeScaling scaling;
    scaling.kind = c.pick({model::RopeScaling::Kind::linear, model::RopeScaling::Kind::yarn});
    scaling.factor = c.pick({1.0, 4.0, c.real(1.0, 40.0)});
    scaling.original_context = c.pick({4096.0, 32768.0, c.real(100.0, 1e5)});
    scaling.attention_factor = c.pick({1.0, c.real(0.5, 2.0)});
    scaling.beta_fast = c.pick({32.0, c.real(8.0, 64.0)});
    scaling.beta_slow = c.pick({1.0, c.real(0.5, 4.0)});
    c.given("YaRN", scaling.kind == model::RopeScaling::Kind::yarn);
    c.given("factor", scaling.factor);
    c.given("original context", scaling.original_context);
    return scaling;
}

inline std::int32_t rope_position(Case& c) { return c.pick({0, 1, 2, c.integer(0, 4096), c.integer(0, 1 << 20)}); }

inline RopeInput rope_input(Case& c) {
    RopeInput input{
        c.pick<std::size_t>({2, 16, 40, 64, 128}), c.pick({1e4, 1e6, 1e7, c.real(2.0, 1e8)}), {}, rope_position(c), {}};
    input.head = c.normals(input.dim, c.pick({1e-3, 1.0, 1e3}));
    c.given("dim", input.dim);
    c.given("theta", input.theta);
    c.given("position", input.position);
    c.given("head", input.head);
    return input;
}

//! Policies whatever their types, so that the laws are compiled once.
using TurnHead = void (*)(const RopeInput& by, float* head, std::int32_t position);
using Normalize = void (*)(const float* x, const float* weight, std::size_t n, float eps, float* y);
using Activate = void (*)(float* x, std::size_t n);

template <class R>
void turn_head(const RopeInput& by, float* head, std::int32_t position) {
    R(by.dim, by.theta, by.scaling).turn(head, position);
}

//! Room after what a policy may write, so that one that writes more breaks its law and not the test program.
inline constexpr std::size_t slack = 16;

inline std::vector<float> turn(TurnHead rope, const RopeInput& input, std::vector<float> head, std::int32_t position) {
    head.resize(input.dim + slack);
    rope(input, head.data(), position);
    head.resize(input.dim);
    return head;
}
inline std::vector<float> turn(TurnHead rope, const RopeInput& input) {
    return turn(rope, input, input.head, input.position);
}

//! For each element the magnitudes of its pair, times the rope's.
inline oracle::Vector pair_magnitudes(const oracle::Rope& rope, const std::vector<float>& head) {
    const std::size_t half = head.size() / 2;
    oracle::Vector magnitudes(head.size());
    for (std::size_t i = 0; i < head.size(); ++i) {
        magnitudes[i] = rope.magnitude * (std::fabs(head[i]) + std::fabs(head[(i + half) % head.size()]));
    }
    return magnitudes;
}

inline void expect_turned(const Case& c, TurnHead rope, const RopeInput& input) {
    const oracle::Rope expected = input.expected();
    c.near("turned head", turn(rope, input), oracle::rotate(expected, input.position, oracle::to_doubles(input.head)),
           pair_magnitudes(expected, input.head), tolerance::rope);
}

inline double dot(std::span<const float> a, std::span<const float> b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
    return sum;
}

//! A row to be normalized; no square overflows.
struct NormInput {
    std::vector<float> x, weight;
    float eps;
};

inline NormInput norm_input(Case& c) {
    const std::size_t n = c.chance(0.01) ? c.pick<std::size_t>({768, 2048})
                                         : c.pick<std::size_t>({1, 16, 17, 64, c.integer<std::size_t>(1, 200)});
    NormInput input{c.normals(n, c.pick({0.0, 1e-30, 1e-3, 1.0, 100.0, 1e15})), c.normals(n),
                    c.pick({1e-6F, 1e-5F, 0.5F})};
    if (c.chance(0.2)) input.x.assign(n, input.x[0]);
    if (c.chance(0.2)) input.x[c.integer<std::size_t>(0, n - 1)] *= 1000.0F;
    c.given("eps", input.eps);
    c.given("x", input.x);
    return input;
}

inline std::vector<float> normalized(Normalize norm, const NormInput& input, float held = -1.0F) {
    std::vector<float> y(input.x.size() + slack, held);
    norm(input.x.data(), input.weight.data(), input.x.size(), input.eps, y.data());
    y.resize(input.x.size());
    return y;
}

inline std::vector<float> activated(Activate silu, std::vector<float> x) {
    silu(x.data(), x.size());
    return x;
}

}  // namespace detail

inline std::vector<Law> rope_law_list(detail::TurnHead rope) {
    using namespace detail;
    return {
        {"rope.turns_halves_by_position", "The pair (x[i], x[i + dim/2]) turns by position * theta^(-2i/dim).",
         [rope](Case& c) { expect_turned(c, rope, rope_input(c)); }},
        {"rope.scaling", "Linear scaling and YaRN change angles and magnitude as published.",
         [rope](Case& c) {
             RopeInput input = rope_input(c);
             input.scaling = rope_scaling(c);
             expect_turned(c, rope, input);
         }},
        {"rope.first_position_is_kept", "Position 0 turns nothing.",
         [rope](Case& c) {
             const RopeInput input = rope_input(c);
             const std::vector<float> turned = turn(rope, input, input.head, 0);
             for (std::size_t i = 0; i < turned.size(); ++i) c.equal("x[" + to_text(i) + "]", turned[i], input.head[i]);
         }},
        {"rope.keeps_lengths", "Turning changes the length of no pair.",
         [rope](Case& c) {
             const RopeInput input = rope_input(c);
             const std::vector<float> turned = turn(rope, input);
             const std::size_t half = input.dim / 2;
             for (std::size_t i = 0; i < half; ++i) {
                 c.near("length of pair " + to_text(i), std::hypot(turned[i], turned[i + half]),
                        std::hypot(input.head[i], input.head[i + half]), tolerance::rope);
             }
         }},
        {"rope.only_distance_matters", "The product of a turned query and key depends on how far apart they are alone.",
         [rope](Case& c) {
             const RopeInput input = rope_input(c);
             const std::vector<float> key = c.normals(input.dim);
             const std::int32_t other = rope_position(c), shift = rope_position(c);
             c.given("key's position", other);
             c.given("shift", shift);
             const auto product = [&](std::int32_t by) {
                 return dot(turn(rope, input, input.head, input.position + by), turn(rope, input, key, other + by));
             };
             const double magnitude = std::sqrt(dot(input.head, input.head) * dot(key, key));
             c.near("product, shifted", product(shift), product(0), {0.0, 2 * tolerance::rope.relative * magnitude});
         }},
        {"rope.writes_only_its_head", "Nothing beside the head is written.",
         [rope](Case& c) {
             const RopeInput input = rope_input(c);
             std::vector<float> guarded(1 + input.dim + slack, 678.0F);
             std::copy(input.head.begin(), input.head.end(), guarded.begin() + 1);
             rope(input, guarded.data() + 1, input.position);
             c.equal("what lies before the head", guarded.front(), 678.0F);
             c.same_bits("what lies behind the head", std::span(guarded).last(slack),
                         std::vector<float>(slack, 678.0F));
         }},
    };
}

inline std::vector<Law> rms_norm_law_list(detail::Normalize norm) {
    using namespace detail;
    return {
        {"rms_norm.formula", "y = x / sqrt(mean(x^2) + eps) * weight.",
         [norm](Case& c) {
             const NormInput input = norm_input(c);
             const oracle::Vector expected =
                 oracle::rms_norm(oracle::to_doubles(input.x), oracle::to_doubles(input.weight), input.eps);
             c.near("y", normalized(norm, input), expected, expected, tolerance::rms_norm(input.x.size()));
         }},
        {"rms_norm.zeros_stay_zeros", "A row of zeros gives zeros.",
         [norm](Case& c) {
             NormInput input = norm_input(c);
             for (float& x : input.x) x = c.pick({0.0F, -0.0F});
             for (const float y : normalized(norm, input)) c.equal("y", y, 0.0F);
         }},
        {"rms_norm.scale_invariant", "Without eps, a row of other scale gives the same.",
         [norm](Case& c) {
             NormInput input = norm_input(c);
             input.eps = 0.0F;
             for (float& x : input.x) x = static_cast<float>(c.normal()) + 4.0F;
             const std::vector<float> expected = normalized(norm, input);
             const float factor = c.pick({0x1p-10F, 0.3F, 7.0F, 0x1p30F});
             c.given("factor", factor);
             for (float& x : input.x) x *= factor;
             const oracle::Vector doubles = oracle::to_doubles(expected);
             c.near("y", normalized(norm, input), doubles, doubles, tolerance::rms_norm(input.x.size()));
         }},
        {"rms_norm.in_place", "y may be x: the bits are the same.",
         [norm](Case& c) {
             const NormInput input = norm_input(c);
             std::vector<float> x = input.x;
             x.resize(x.size() + slack);
             norm(x.data(), input.weight.data(), input.x.size(), input.eps, x.data());
             x.resize(input.x.size());
             c.same_bits("y in place of x", x, normalized(norm, input));
         }},
        {"rms_norm.writes_only_its_row", "All of y and nothing beside it is written, whatever it held.",
         [norm](Case& c) {
             const NormInput input = norm_input(c);
             const std::size_t n = input.x.size();
             std::vector<float> guarded(n + slack, 678.0F);
             norm(input.x.data(), input.weight.data(), n, input.eps, guarded.data());
             c.same_bits("y", std::span(guarded).first(n), normalized(norm, input, std::nanf("")));
             c.same_bits("what lies behind y", std::span(guarded).subspan(n), std::vector<float>(slack, 678.0F));
         }},
    };
}

inline std::vector<Law> swiglu_law_list(detail::Activate silu) {
    using namespace detail;
    return {
        {"swiglu.silu", "silu(x) = x / (1 + e^-x).",
         [silu](Case& c) {
             const std::vector<float> x = c.logits(c.integer<std::size_t>(1, 40)), y = activated(silu, x);
             c.given("x", x);
             for (std::size_t i = 0; i < x.size(); ++i) {
                 c.near("silu(" + to_text(x[i]) + ")", y[i], oracle::silu(x[i]), tolerance::silu);
             }
         }},
        {"swiglu.silu_is_bounded", "However large x, silu(x) lies between its least value, -0.27846, and max(x, 0).",
         [silu](Case& c) {
             for (const float x : c.logits(20)) {
                 c.between("silu(" + to_text(x) + ")", activated(silu, {x})[0], -0.278465F, std::max(x, 0.0F));
             }
         }},
        {"swiglu.silu_keeps_nan", "silu(NaN) is NaN.",
         [silu](Case& c) {
             const std::vector<float> x = c.hostile_logits(20), y = activated(silu, x);
             for (std::size_t i = 0; i < x.size(); ++i) {
                 if (std::isnan(x[i])) c.expect(std::isnan(y[i]), "silu(NaN) is " + show(y[i]));
             }
         }},
        {"swiglu.silu_one_by_one", "Each number's result has the same bits alone and among others.",
         [silu](Case& c) {
             const std::vector<float> x = c.logits(c.integer<std::size_t>(1, 40)), y = activated(silu, x);
             for (std::size_t i = 0; i < x.size(); ++i) {
                 c.same_bits("silu(" + to_text(x[i]) + ")", std::span(y).subspan(i, 1), activated(silu, {x[i]}));
             }
         }},
    };
}

//! All laws of a rotary embedding: a type as CpuRope.
template <class R>
std::vector<Law> rope_law_list() {
    return rope_law_list(detail::turn_head<R>);
}

//! All laws of a normalization: a type as CpuRmsNorm.
template <class N>
std::vector<Law> rms_norm_law_list() {
    return rms_norm_law_list(N::normalize);
}

//! All laws of SwiGLU's activation: a type as CpuSilu.
template <class S>
std::vector<Law> swiglu_law_list() {
    return swiglu_law_list(S::apply);
}

//! Checks all laws of a rotary embedding, inside a doctest test case.
template <class R>
void rope_laws(std::string_view subject) {
    check_laws(subject, rope_law_list<R>());
}

//! Checks all laws of a normalization, inside a doctest test case.
template <class N>
void rms_norm_laws(std::string_view subject) {
    check_laws(subject, rms_norm_law_list<N>());
}

//! Checks all laws of SwiGLU's activation, inside a doctest test case.
template <class S>
void swiglu_laws(std::string_view subject) {
    check_laws(subject, swiglu_law_list<S>());
}

}  // namespace sluice::contracts
