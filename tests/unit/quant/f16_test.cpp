// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/f16.hpp"

#include "format_checks.hpp"

using namespace sluice;

TEST_CASE("f16: round trip") {
    CHECK(test::relative_error<quant::F16>(1.0F) < 0.00024);
    CHECK(quant::F16::decode(quant::F16::encode(-1.5F)) == -1.5F);
    CHECK(std::isinf(quant::F16::decode(quant::F16::encode(std::numeric_limits<float>::infinity()))));
    CHECK(std::isnan(quant::F16::decode(quant::F16::encode(std::numeric_limits<float>::quiet_NaN()))));
}
