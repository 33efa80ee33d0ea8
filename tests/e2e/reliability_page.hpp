// SPDX-License-Identifier: Apache-2.0
//! The tables of docs/reliability.md. They are the tests' own list of cases: what the page says is what is run.
#pragma once

#include <cstddef>
#include <doctest/doctest.h>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::test {

//! The cells of a line "| a | `b` |" as they read: "a", "b". A bar inside a cell is written "\|".
inline std::vector<std::string> table_cells(std::string_view line) {
    std::vector<std::string> cells;
    std::string cell;
    for (std::size_t i = 1; i < line.size(); ++i) {
        if (line[i] == '\\' && line.substr(i + 1).starts_with('|')) {
            cell += line[++i];
        } else if (line[i] != '|') {
            cell += line[i];
        } else {
            const std::size_t first = cell.find_first_not_of(" `"), last = cell.find_last_not_of(" `");
            cells.push_back(first == cell.npos ? "" : cell.substr(first, last - first + 1));
            cell.clear();
        }
    }
    return cells;
}

//! A section that begins with "## title" and has a table; the table's head is left out.
struct PageTable {
    std::string title;
    std::vector<std::vector<std::string>> rows;
};

inline std::vector<PageTable> reliability_tables() {
    std::ifstream page(SLUICE_SOURCE_DIR "/docs/reliability.md");
    REQUIRE(page.good());
    std::vector<PageTable> tables;
    std::string title;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("## ")) title = line.substr(3);
        if (!line.starts_with("|---")) continue;
        tables.push_back({title, {}});
        while (std::getline(page, line) && line.starts_with("|")) tables.back().rows.push_back(table_cells(line));
    }
    return tables;
}

inline PageTable reliability_table(std::string_view title) {
    for (PageTable& table : reliability_tables()) {
        if (table.title == title) return std::move(table);
    }
    FAIL("docs/reliability.md has no table under '" << std::string(title) << "'");
    return {};
}

}  // namespace sluice::test
