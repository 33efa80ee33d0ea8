// SPDX-License-Identifier: Apache-2.0
//! The story model's goldens: four prompts, their tokens, and float64 logits at five positions of each.
#pragma once

#include <array>
#include <cstddef>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"

namespace sluice::test {

inline std::filesystem::path source_path(const std::string& name) {
    return std::filesystem::path(SLUICE_SOURCE_DIR) / name;
}

inline gguf::File open_model(const std::filesystem::path& path) {
    auto file = gguf::File::open(path);
    REQUIRE_MESSAGE(file.ok(), file.status().message());
    return std::move(*file);
}

//! The model that the samples embed.
inline gguf::File open_story_model() { return open_model(source_path("samples/models/story-Q4_K_M.gguf")); }

//! The manifest's prompts; see its fields `text`, `tokens`, `positions` and `formats`.
inline nlohmann::json story_prompts() {
    std::ifstream file(source_path("tests/golden/story_logits.json"));
    REQUIRE(file.good());
    return nlohmann::json::parse(file).at("prompts");
}

inline std::vector<Token> tokens_of(const nlohmann::json& prompt) {
    return prompt.at("tokens").get<std::vector<Token>>();
}

//! Little-endian float32 [positions, vocab].
inline std::vector<float> read_logits(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE_MESSAGE(file.good(), path.string());
    std::vector<float> logits(std::filesystem::file_size(path) / sizeof(float));
    file.read(reinterpret_cast<char*>(logits.data()), static_cast<std::streamsize>(logits.size() * sizeof(float)));
    REQUIRE(file.good());
    return logits;
}

}  // namespace sluice::test
