// SPDX-License-Identifier: Apache-2.0
//! Small files that the programs read.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"

namespace samples {

//! All bytes of a file; "-" is standard input.
sluice::Expected<std::string> read_file(const std::filesystem::path& path);

//! The numbers of a JSON array such as [9707, 11, 1879].
sluice::Expected<std::vector<sluice::Token>> parse_ids(std::string_view json);

}  // namespace samples
