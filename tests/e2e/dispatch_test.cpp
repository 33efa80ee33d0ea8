// SPDX-License-Identifier: Apache-2.0
//! Every program, whatever else it does: a file of another architecture gets no further than its name.
#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bad_files.hpp"
#include "program.hpp"

using namespace sluice::test;

TEST_CASE("dispatch: every program that runs a model refuses other architectures with one line, and no output") {
    // Those that run none: two read any GGUF file, one only writes.
    const std::set<std::string> exceptions = {"inspect", "make_model", "tokenize"};
    const std::map<std::string, std::vector<std::string>> needed = {{"evaluate", {"--perplexity", "-"}},
                                                                    {"serve", {"--port", "0"}}};
    const TempFolder folder;
    for (const NamedFile& file : unfit_files()) {
        if (file.name == "llama.gguf" || file.name == "dense.gguf" || file.name == "qwen35moe.gguf") {
            write_file(folder / file.name, file.make());
        }
    }
    std::size_t refusals = 0;
    for (const auto& entry : std::filesystem::directory_iterator(SLUICE_SOURCE_DIR "/samples")) {
        const std::string program = entry.path().stem().string();
        if (entry.path().extension() != ".cpp" || exceptions.contains(program)) continue;
        for (const auto& named :
             {std::pair{"llama.gguf", "'llama'"}, {"dense.gguf", "'qwen3'"}, {"qwen35moe.gguf", "'qwen35moe'"}}) {
            std::vector<std::string> arguments = {"-m", (folder / named.first).string()};
            if (const auto more = needed.find(program); more != needed.end()) {
                arguments.insert(arguments.end(), more->second.begin(), more->second.end());
            }
            CAPTURE(program);
            CAPTURE(named.first);
            const Outcome outcome = run(program, arguments);
            CHECK(outcome.code == 1);
            // serve tells where it listens while it loads.
            if (program != "serve") CHECK(outcome.out == "");
            CHECK(outcome.err.starts_with(program + ": "));
            CHECK(outcome.err.find(named.second) != outcome.err.npos);
            CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
            ++refusals;
        }
    }
    CHECK(refusals >= 7 * 3);
}
