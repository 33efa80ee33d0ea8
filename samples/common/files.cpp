// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <iterator>

namespace samples {

using namespace sluice;

Expected<std::string> read_file(const std::filesystem::path& path) {
    std::ifstream file;
    if (path != "-") {
        file.open(path, std::ios::binary);
        if (!file || std::filesystem::is_directory(path)) {
            return Status(Errc::io, path.string(), "cannot be read",
                          "give the path of a file, or - for standard input");
        }
    }
    std::istream& in = path == "-" ? std::cin : file;
    std::string text(std::istreambuf_iterator<char>(in), {});
    if (in.bad()) return Status(Errc::io, path.string(), "reading it failed half-way");
    return text;
}

Expected<std::vector<Token>> parse_ids(std::string_view json) {
    std::string_view rest = json;
    const auto skip_space = [&] { rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size())); };
    const auto take = [&](char wanted) {
        skip_space();
        const bool found = rest.starts_with(wanted);
        rest.remove_prefix(found ? 1 : 0);
        return found;
    };
    const auto expected = [&](std::string_view what) {
        return Status(Errc::invalid_argument, "token ids: byte " + std::to_string(json.size() - rest.size()),
                      std::string(what) + " expected", "give a JSON array such as [9707, 11, 1879]");
    };
    std::vector<Token> ids;
    if (!take('[')) return expected("'['");
    if (!take(']')) {
        do {
            skip_space();
            Token id = 0;
            const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), id);
            if (error != std::errc()) return expected("a token id");
            rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
            ids.push_back(id);
        } while (take(','));
        if (!take(']')) return expected("',' or ']'");
    }
    skip_space();
    if (!rest.empty()) return expected("the end");
    return ids;
}

}  // namespace samples
