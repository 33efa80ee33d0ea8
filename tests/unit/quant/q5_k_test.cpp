// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/q5_k.hpp"

#include "format_checks.hpp"

using namespace sluice;

TEST_CASE("q5_k: decodes as the layout says") {
    test::check_decode<quant::Q5_K>({0, 2}, [](const unsigned char* block, std::size_t i) -> test::ValueAndMagnitude {
        const unsigned char* s = block + 4;
        const std::size_t g = i / 32;
        const int scale = g < 4 ? s[g] % 64 : s[g + 4] % 16 + 16 * (s[g - 4] / 64);
        const int min = g < 4 ? s[g + 4] % 64 : s[g + 4] / 16 + 16 * (s[g] / 64);
        const int byte = block[48 + i / 64 * 32 + i % 32];
        const int q = (g % 2 == 0 ? byte % 16 : byte / 16) + 16 * ((block[16 + i % 32] >> g) % 2);
        const double product = test::half_at(block) * scale * q, offset = test::half_at(block + 2) * min;
        return {product - offset, std::fabs(product) + std::fabs(offset)};
    });
}

TEST_CASE("q5_k: encoding loses no more than it should") {
    CHECK(test::relative_error<quant::Q5_K>(0.02F) < 0.0353);
    CHECK(test::relative_error<quant::Q5_K>(30.0F) < 0.0353);
}

TEST_CASE("q5_k: takes extreme blocks") { test::check_extremes<quant::Q5_K>({0, 2}); }
