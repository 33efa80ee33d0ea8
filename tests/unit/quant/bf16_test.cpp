// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/bf16.hpp"

#include "format_checks.hpp"

using namespace sluice;

TEST_CASE("bf16: round trip") {
    CHECK(test::relative_error<quant::BF16>(1.0F) < 0.0018);
    CHECK(quant::BF16::decode(quant::BF16::encode(-1.5F)) == -1.5F);
    CHECK(std::isinf(quant::BF16::decode(quant::BF16::encode(std::numeric_limits<float>::infinity()))));
    CHECK(std::isnan(quant::BF16::decode(quant::BF16::encode(std::numeric_limits<float>::quiet_NaN()))));
}
