// SPDX-License-Identifier: Apache-2.0
//! What a source tree's history says.
#pragma once

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace sluice::contracts {

//! How many commits have changed include/ since the one called `commit`; 0 where git cannot tell.
inline int library_commits_since(const std::string& commit, const std::filesystem::path& source) {
    const std::string command =
        "git -C '" + source.string() + "' rev-list --count " + commit + "..HEAD -- include 2>/dev/null";
    std::FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return 0;
    std::array<char, 32> line{};
    const bool is_there = std::fgets(line.data(), line.size(), pipe) != nullptr;
    return pclose(pipe) == 0 && is_there ? std::stoi(line.data()) : 0;
}

}  // namespace sluice::contracts
