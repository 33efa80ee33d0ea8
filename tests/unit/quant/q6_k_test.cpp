// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/q6_k.hpp"

#include "format_checks.hpp"

using namespace sluice;

TEST_CASE("q6_k: decodes as the layout says") {
    test::check_decode<quant::Q6_K>({208}, [](const unsigned char* block, std::size_t i) -> test::ValueAndMagnitude {
        const std::size_t half = i / 128, quarter = i % 128 / 32, l = i % 32;
        const unsigned char* ql = block + 64 * half;
        const unsigned char* qh = block + 128 + 32 * half;
        const int nibbles[] = {ql[l] & 15, ql[l + 32] & 15, ql[l] >> 4, ql[l + 32] >> 4};
        const int q = nibbles[quarter] + 16 * ((qh[l] >> (2 * quarter)) & 3) - 32;
        const double value = test::half_at(block + 208) * static_cast<signed char>(block[192 + i / 16]) * q;
        return {value, std::fabs(value)};
    });
}

TEST_CASE("q6_k: encoding loses no more than it should") {
    CHECK(test::relative_error<quant::Q6_K>(0.02F) < 0.0181);
    CHECK(test::relative_error<quant::Q6_K>(30.0F) < 0.0181);
}

TEST_CASE("q6_k: takes extreme blocks") { test::check_extremes<quant::Q6_K>({208}); }
