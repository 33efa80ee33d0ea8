// SPDX-License-Identifier: Apache-2.0
//! Runs every command in the tables of docs/reliability.md and compares what it prints, to the letter.
#include <cstddef>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <vector>

#include "../skip.hpp"
#include "bad_files.hpp"
#include "program.hpp"
#include "reliability_page.hpp"

using namespace sluice::test;

namespace {

std::string read_text(const std::filesystem::path& path) {
    const std::vector<std::byte> bytes = read_file(path);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

//! Runs a line in a shell that finds the programs, in a new folder with the files that the line names.
Outcome run_in_shell(const std::string& line, const std::vector<NamedFile>& files) {
    const TempFolder folder;
    const std::string place = (folder / "work").string();
    std::filesystem::create_directories(place + "/folder");
    for (const NamedFile& file : files) {
        if (line.find(file.name) != line.npos) write_file(place + "/" + file.name, file.make());
    }
    const std::string script =
        "PATH='" SLUICE_BIN_DIR "':$PATH; cd '" + place + "' && { " + line + "; } < /dev/null > ../out 2> ../err";
    const int status = std::system(script.c_str());
    REQUIRE(WIFEXITED(status));
    return {WEXITSTATUS(status), read_text(folder / "out"), read_text(folder / "err")};
}

//! Rows are: what is bad, the command, its exit code, what it prints on standard error.
void check_rows(std::string_view title) {
    const std::vector<NamedFile> files = bad_files();
    for (const std::vector<std::string>& row : reliability_table(title).rows) {
        REQUIRE(row.size() == 4);
        CAPTURE(row[1]);
        const Outcome outcome = run_in_shell(row[1], files);
        CHECK(std::to_string(outcome.code) == row[2]);
        CHECK(outcome.err == (row[3].empty() ? "" : row[3] + "\n"));
        if (outcome.code != 0) CHECK(outcome.out == "");
    }
}

}  // namespace

TEST_CASE("errors: damaged and hostile files") { check_rows("Damaged files"); }
TEST_CASE("errors: files that hold no Qwen3-MoE model") { check_rows("Other models"); }
TEST_CASE("errors: tokenizers and chat templates") { check_rows("Tokenizers and chat templates"); }
TEST_CASE("errors: flags") { check_rows("Flags"); }
TEST_CASE("errors: prompts, token ids and output") { check_rows("Prompts, token ids and output"); }
TEST_CASE("errors: odd input that is accepted") { check_rows("Accepted"); }

TEST_CASE("errors: a machine without enough memory or threads") {
    if (run_in_shell("ulimit -v 400000; generate --version", {}).code != 0) {
        skip("the programs do not start in the address space that the table gives them (a sanitizer's need more)");
        return;
    }
    check_rows("A small machine");
}

TEST_CASE("errors: every table of the page is run, and every file is in one") {
    std::vector<std::string> titles;
    std::string commands;
    std::size_t bad_inputs = 0;
    for (const PageTable& table : reliability_tables()) {
        titles.push_back(table.title);
        for (const std::vector<std::string>& row : table.rows) commands += row.at(1) + '\n';
        if (table.title != "Accepted") bad_inputs += table.rows.size();
    }
    CHECK(titles == std::vector<std::string>{"Damaged files", "Other models", "Tokenizers and chat templates", "Flags",
                                             "Prompts, token ids and output", "A small machine", "Accepted",
                                             "Wrong calls of the library", "The server"});
    CHECK(bad_inputs >= 40);
    for (const NamedFile& file : bad_files()) CHECK_MESSAGE(commands.find(file.name) != commands.npos, file.name);
}
