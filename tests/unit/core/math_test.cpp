// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/math.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <random>

#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

//! The distance in units of the last place of the true value.
double ulps(float got, double wanted) {
    const auto nearest = static_cast<float>(wanted);
    return std::fabs(got - wanted) / (std::nextafter(std::fabs(nearest), infinity) - std::fabs(nearest));
}

}  // namespace

TEST_CASE("math: exp is within 1.5 ulp from -87.3 to 88") {
    double worst = 0.0;
    for (int i = 0; i <= 1'000'000; ++i) {
        const float x = -87.3F + 175.3F * static_cast<float>(i) / 1e6F;
        worst = std::max(worst, ulps(math::exp(x), std::exp(static_cast<double>(x))));
    }
    CHECK(worst < 1.5);
}

TEST_CASE("math: exp at the edges") {
    CHECK(math::exp(0.0F) == 1.0F);
    CHECK(math::exp(-0.0F) == 1.0F);
    CHECK(math::exp(0x1p-149F) == 1.0F);
    CHECK(math::exp(-87.4F) == 0.0F);
    CHECK(math::exp(-infinity) == 0.0F);
    CHECK(math::exp(-87.33F) > 0.0F);
    CHECK(math::exp(infinity) == math::exp(88.02F));
    CHECK(math::exp(1000.0F) == math::exp(88.02F));
    CHECK(math::exp(88.02F) == doctest::Approx(1.68e38).epsilon(0.01));
    CHECK(std::isnan(math::exp(not_a_number)));
}

TEST_CASE("math: silu is x / (1 + e^-x) within 4 ulp") {
    double worst = 0.0;
    for (int i = 0; i <= 200'000; ++i) {
        const float x = -80.0F + 160.0F * static_cast<float>(i) / 2e5F;
        const double wanted = x / (1.0 + std::exp(-static_cast<double>(x)));
        if (wanted != 0.0) worst = std::max(worst, ulps(math::silu(x), wanted));
    }
    CHECK(worst < 4.0);
    CHECK(math::silu(0.0F) == 0.0F);
    CHECK(math::silu(infinity) == infinity);
    CHECK(math::silu(100.0F) == 100.0F);
    for (const float far : {-88.03F, -100.0F, -8.37e29F, -3.4e38F, -infinity}) CHECK(math::silu(far) == 0.0F);
    CHECK(std::fabs(math::silu(-88.0F)) < 1e-35F);
    CHECK(std::isnan(math::silu(not_a_number)));
}

TEST_CASE("math: sincos within 1e-15 up to 2^26 radians") {
    std::mt19937_64 random(1);
    double worst = 0.0;
    const auto check = [&](double x) {
        const auto [s, c] = math::sincos(x);
        worst = std::max({worst, std::fabs(s - std::sin(x)), std::fabs(c - std::cos(x))});
    };
    for (int i = 0; i < 200'000; ++i) check(std::ldexp(static_cast<double>(random() >> 11) * 0x1p-53, i % 27));
    for (int i = 0; i < 1000; ++i) check(i * 0.78539816339744831);
    for (int i = 0; i < 1000; ++i) check(-i * 1.0);
    check(0x1p26);
    CHECK(worst < 1e-15);
    CHECK(math::sincos(0.0).cos == 1.0);
    CHECK(math::sincos(0.0).sin == 0.0);
}

TEST_CASE("math: log and power within their promised relative errors") {
    double worst_log = 0.0, worst_power = 0.0;
    std::mt19937 random(2);
    for (int i = 0; i < 100'000; ++i) {
        const double x = std::exp2(static_cast<double>(random() % 60000) / 1000.0 - 20.0) * 1.37;
        if (std::fabs(std::log(x)) > 0.5) worst_log = std::max(worst_log, std::fabs(math::log(x) / std::log(x) - 1.0));
        const double base = 1.0 + static_cast<double>(random() % 10'000'000),
                     exponent = static_cast<double>(random() % 1001) / -1000.0;
        worst_power = std::max(worst_power, std::fabs(math::power(base, exponent) / std::pow(base, exponent) - 1.0));
    }
    CHECK(worst_log < 1e-15);
    CHECK(worst_power < 1e-14);
    CHECK(std::fabs(math::log(1.0)) < 1e-16);
    CHECK(math::power(1e6, 0.0) == 1.0);
    CHECK(math::power(1e6, -1.0) == doctest::Approx(1e-6).epsilon(1e-14));
}
