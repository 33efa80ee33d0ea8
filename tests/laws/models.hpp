// SPDX-License-Identifier: Apache-2.0
//! The models that whole pipelines are put to their laws with.
#pragma once

#include <filesystem>
#include <vector>

#include "support/tiny_model.hpp"
#include "unit/io/files.hpp"

namespace sluice::test {

//! A trained model: a few cases per law.
inline constexpr const char* story_model = SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf";

//! So small that a law can run its thousand cases.
inline constexpr TinyModel smallest_model{
    .layers = 2, .hidden = 24, .heads = 2, .kv_heads = 1, .head_dim = 16, .experts = 4, .used = 2, .ff = 16};

//! The smallest model in a file of its own.
class RandomModelFile {
public:
    RandomModelFile() { write_file(path(), smallest_model.draft().bytes()); }
    std::filesystem::path path() const { return folder_ / "random.gguf"; }

private:
    TempFolder folder_;
};

}  // namespace sluice::test
