// SPDX-License-Identifier: Apache-2.0
//! The real Qwen3 vocabulary and the fixtures that belong to it.
#pragma once

#include <doctest/doctest.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "sluice/text/vocabulary.hpp"

namespace sluice::test {

inline nlohmann::json golden_json(const std::string& name) {
    std::ifstream file(std::string(SLUICE_SOURCE_DIR "/tests/golden/") + name);
    REQUIRE(file.good());
    return nlohmann::json::parse(file);
}

inline Vocabulary<BpeTokenizer> qwen3(Normalization normalization = {}) {
    const auto file = gguf::File::open(SLUICE_SOURCE_DIR "/tests/golden/qwen3-vocab.gguf");
    REQUIRE(file.ok());
    auto text = read_vocabulary<BpeTokenizer>(*file, normalization);
    REQUIRE(text.ok());
    return *std::move(text);
}

}  // namespace sluice::test
