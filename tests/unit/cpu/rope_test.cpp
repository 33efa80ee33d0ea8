// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/rope.hpp"

#include <cmath>
#include <cstddef>
#include <doctest/doctest.h>
#include <vector>

#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("rope: turns the pairs (i, i + half), not neighbours") {
    std::vector<float> head = {1, 2, 3, 4};  // pairs (1, 3) and (2, 4)
    const float cosines[] = {0, -1}, sines[] = {1, 0};
    cpu::rotate_half(head.data(), cosines, sines, 2);
    CHECK(head == std::vector<float>{-3, -2, 1, -4});
}

TEST_CASE("rope: against its formula in double precision, the same bits from all back ends") {
    for (const std::size_t half : {8U, 16U, 20U, 64U}) {
        CAPTURE(half);
        const std::vector<float> x = random_floats(2 * half, 1), angles = random_floats(half, 2, 3.0);
        std::vector<float> cosines, sines;
        std::vector<double> wanted(2 * half);
        for (std::size_t i = 0; i < half; ++i) {
            cosines.push_back(std::cos(angles[i]));
            sines.push_back(std::sin(angles[i]));
            wanted[i] = static_cast<double>(x[i]) * cosines[i] - static_cast<double>(x[i + half]) * sines[i];
            wanted[i + half] = static_cast<double>(x[i]) * sines[i] + static_cast<double>(x[i + half]) * cosines[i];
        }
        std::vector<float> native = x, scalar = x;
        cpu::rotate_half(native.data(), cosines.data(), sines.data(), half);
        cpu::rotate_half<simd::Scalar>(scalar.data(), cosines.data(), sines.data(), half);
        CHECK(nmse(native, wanted) < 1e-14);
        CHECK(same_bits(native, scalar));
    }
}
