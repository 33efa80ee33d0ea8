// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/norm.hpp"

#include <cmath>
#include <cstddef>
#include <doctest/doctest.h>
#include <span>
#include <vector>

#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::size_t sizes[] = {1, 15, 16, 17, 40, 64, 100, 2048};

}  // namespace

TEST_CASE("norm: rms_norm against its formula in double precision") {
    for (const std::size_t n : sizes) {
        CAPTURE(n);
        for (const float eps : {1e-6F, 0.5F}) {
            const auto x = random_floats(n, 1), weight = random_floats(n, 2);
            double square = 0.0;
            for (const float v : x) square += static_cast<double>(v) * v;
            const double scale = 1.0 / std::sqrt(square / static_cast<double>(n) + eps);
            std::vector<double> wanted;
            for (std::size_t i = 0; i < n; ++i) wanted.push_back(x[i] * scale * weight[i]);
            std::vector<float> y(n);
            cpu::rms_norm(x.data(), weight.data(), n, eps, y.data());
            CHECK(nmse(y, wanted) < 1e-13);
            std::vector<float> in_place = x;
            cpu::rms_norm(in_place.data(), weight.data(), n, eps, in_place.data());
            CHECK(same_bits(in_place, y));
        }
    }
}

TEST_CASE("norm: the native back end gives the scalar one's bits, and writes no element too many") {
    for (const std::size_t n : sizes) {
        CAPTURE(n);
        const auto x = random_floats(n, 3), weight = random_floats(n, 4);
        std::vector<float> scalar(n + 16, 5.0F), native = scalar;
        cpu::rms_norm<simd::Scalar>(x.data(), weight.data(), n, 1e-6F, scalar.data());
        cpu::rms_norm(x.data(), weight.data(), n, 1e-6F, native.data());
        CHECK(same_bits(native, scalar));
        CHECK(native[n] == 5.0F);
        CHECK(same_bits(cpu::sum_of_squares(x.data(), n), cpu::sum_of_squares<simd::Scalar>(x.data(), n)));
    }
}

TEST_CASE("norm: add") {
    for (const std::size_t n : sizes) {
        CAPTURE(n);
        std::vector<float> x = random_floats(n + 16, 5), wanted = x;
        const std::vector<float> y = random_floats(n + 16, 6);
        for (std::size_t i = 0; i < n; ++i) wanted[i] += y[i];
        cpu::add(x.data(), y.data(), n);
        CHECK(same_bits(x, wanted));
    }
}
