// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/f32.hpp"

#include "format_checks.hpp"

using namespace sluice;

TEST_CASE("f32: round trip") {
    CHECK(test::relative_error<quant::F32>(1.0F) < 1e-30);
    CHECK(quant::F32::decode(quant::F32::encode(-1.5F)) == -1.5F);
    CHECK(std::isinf(quant::F32::decode(quant::F32::encode(std::numeric_limits<float>::infinity()))));
    CHECK(std::isnan(quant::F32::decode(quant::F32::encode(std::numeric_limits<float>::quiet_NaN()))));
}
