// SPDX-License-Identifier: Apache-2.0
#include "sluice/model/rope.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

using namespace sluice;
using model::RopeScaling;

namespace {

constexpr double pi = 3.14159265358979323846;
constexpr std::size_t dim = 128;

//! What RopeFrequencies gives at a position is this angle and magnitude of each pair, within float rounding.
void check(double theta, const RopeScaling& scaling, const std::vector<double>& radians, double magnitude) {
    const model::RopeFrequencies rope(dim, theta, scaling);
    REQUIRE(rope.pairs() == dim / 2);
    std::vector<float> cosines(dim / 2), sines(dim / 2);
    for (const std::int32_t position : {0, 1, 7, 1000, 40959, 262143, 1 << 25}) {
        CAPTURE(position);
        rope.at(position, cosines.data(), sines.data());
        double worst = 0.0;
        for (std::size_t i = 0; i < dim / 2; ++i) {
            const double angle = position * radians[i];
            // A frequency is good to 1e-14, so an angle to 1e-14 of itself.
            const double allowed = 1e-7 * magnitude + 2e-14 * angle;
            worst = std::max({worst, std::fabs(cosines[i] - magnitude * std::cos(angle)) / allowed,
                              std::fabs(sines[i] - magnitude * std::sin(angle)) / allowed});
        }
        CHECK(worst < 1.0);
    }
}

std::vector<double> plain(double theta) {
    std::vector<double> radians;
    for (std::size_t i = 0; i < dim / 2; ++i) radians.push_back(std::pow(theta, -2.0 * static_cast<double>(i) / dim));
    return radians;
}

}  // namespace

TEST_CASE("rope: plain frequencies theta^(-2i/dim)") {
    for (const double theta : {1e4, 1e6, 1e7}) check(theta, {}, plain(theta), 1.0);
}

TEST_CASE("rope: linear scaling divides every frequency") {
    std::vector<double> radians = plain(1e6);
    for (double& r : radians) r /= 4.0;
    check(1e6, {.kind = RopeScaling::Kind::linear, .factor = 4.0}, radians, 1.0);
}

// From the paper: a pair that makes more than beta_fast turns over the original context keeps its frequency, one that
// makes fewer than beta_slow is interpolated, in between a linear ramp over whole pair numbers; magnitude 0.1 ln s + 1.
TEST_CASE("rope: YaRN ramps between kept and interpolated frequencies, and scales the magnitude") {
    for (const double factor : {1.0, 2.0, 4.0}) {
        for (const double theta : {1e4, 1e6}) {
            for (const double beta_fast : {32.0, 16.0}) {
                const RopeScaling scaling{.kind = RopeScaling::Kind::yarn,
                                          .factor = factor,
                                          .original_context = 32768.0,
                                          .attention_factor = 1.25,
                                          .beta_fast = beta_fast,
                                          .beta_slow = 2.0};
                const auto pair_with_turns = [&](double turns) {
                    return dim * std::log(32768.0 / (turns * 2.0 * pi)) / (2.0 * std::log(theta));
                };
                const double low = std::max(0.0, std::floor(pair_with_turns(beta_fast)));
                const double high = std::min(dim - 1.0, std::ceil(pair_with_turns(2.0)));
                REQUIRE(high > low + 1.0);
                std::vector<double> radians = plain(theta);
                for (std::size_t i = 0; i < radians.size(); ++i) {
                    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
                    radians[i] = radians[i] / factor * ramp + radians[i] * (1.0 - ramp);
                }
                CHECK(radians.front() == 1.0);
                CHECK(radians.back() == doctest::Approx(plain(theta).back() / factor));
                check(theta, scaling, radians, 1.25 * (0.1 * std::log(factor) + 1.0));
            }
        }
    }
}

// Qwen3's published setting for 131,072 positions. The numbers were computed to 50 digits from the formulas of Hugging
// Face's transformers (_compute_yarn_parameters): low and high are the pairs 23 and 40.
TEST_CASE("rope: YaRN has the numbers that transformers computes for Qwen3's setting") {
    const RopeScaling scaling{.kind = RopeScaling::Kind::yarn, .factor = 4.0, .original_context = 32768.0};
    const model::RopeFrequencies rope(dim, 1e6, scaling);
    const auto pinned = [&](std::size_t pair, double radians) {
        CAPTURE(pair);
        CHECK(std::fabs(rope.radians()[pair] / radians - 1.0) < 1e-13);
    };
    pinned(20, 0.013335214321633240257);    // kept
    pinned(25, 0.0041317380225183927759);   // on the ramp
    pinned(35, 0.00024625840690893867675);  // on the ramp
    pinned(63, 3.1023444018792989152e-7);   // a quarter of the plain one
    CHECK(rope.magnitude() == doctest::Approx(1.1386294361119890619).epsilon(1e-14));
}
