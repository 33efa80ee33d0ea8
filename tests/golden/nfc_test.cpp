// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/nfc.hpp"

#include <doctest/doctest.h>
#include <string>

#include "qwen3.hpp"

using namespace sluice;

TEST_CASE("nfc: what Python's unicodedata makes of 300 strings") {
    const nlohmann::json fixtures = test::golden_json("nfc.json");
    CHECK(fixtures.size() == 300);
    for (const auto& pair : fixtures) {
        const std::string text = pair[0];
        CAPTURE(text);
        CHECK(nfc(text) == pair[1].get<std::string>());
    }
}
