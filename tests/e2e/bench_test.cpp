// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "e2e/program.hpp"
#include "unit/io/files.hpp"

using namespace sluice::test;
using nlohmann::json;

namespace {

const std::string benched = SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf";

//! Runs a short benchmark, which must succeed and be silent on standard error.
std::string bench(std::vector<std::string> flags) {
    flags.insert(flags.end(), {"-m", benched, "-r", "3", "-t", "1"});
    return output_of("bench", flags);
}

//! A line of RFC 4180.
std::vector<std::string> cells(std::string_view line) {
    std::vector<std::string> found(1);
    bool is_quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '"') {
            const bool is_escaped = is_quoted && i + 1 < line.size() && line[i + 1] == '"';
            if (is_escaped) found.back() += line[++i];
            if (!is_escaped) is_quoted = !is_quoted;
        } else if (line[i] == ',' && !is_quoted) {
            found.emplace_back();
        } else {
            found.back() += line[i];
        }
    }
    CHECK_FALSE(is_quoted);
    return found;
}

}  // namespace

TEST_CASE("bench: JSON has both tests, and figures that agree with each other") {
    const json all = json::parse(bench({"-p", "16", "-n", "4", "-d", "5", "-b", "7", "--kv", "q8_0", "-o", "json"}));
    REQUIRE(all.size() == 2);
    const json &prefill = all[0], &decode = all[1];
    CHECK(prefill["test"] == "pp16 @ d5");
    CHECK(prefill["n_prompt"] == 16);
    CHECK(prefill["n_gen"] == 0);
    CHECK(prefill["weights_bytes_per_second"].is_null());
    CHECK(decode["test"] == "tg4 @ d5");
    CHECK(decode["n_prompt"] == 0);
    CHECK(decode["n_gen"] == 4);
    for (const json& record : all) {
        CHECK(record["n_depth"] == 5);
        CHECK(record["n_threads"] == 1);
        CHECK(record["n_batch"] == 7);
        CHECK(record["type_kv"] == "q8_0");
        const auto samples = record["samples_ts"].get<std::vector<double>>();
        REQUIRE(samples.size() == 3);
        const double mean = std::accumulate(samples.begin(), samples.end(), 0.0) / 3;
        double squares = 0.0;
        for (const double sample : samples) squares += (sample - mean) * (sample - mean);
        CHECK(mean > 0.0);
        CHECK(record["avg_ts"].get<double>() == doctest::Approx(mean));
        CHECK(record["stddev_ts"].get<double>() == doctest::Approx(std::sqrt(squares / 2)));
        CHECK(record["peak_rss_bytes"] > record["anonymous_rss_bytes"]);
        CHECK(record["anonymous_rss_bytes"] > 100000);
        for (const char* key :
             {"build_version", "build_compiler", "build_flags", "build_instructions", "cpu", "device"}) {
            CHECK(record[key].get<std::string>() != "");
        }
    }
    const double read = decode["weights_bytes_per_token"].get<double>() * decode["avg_ts"].get<double>();
    CHECK(decode["weights_bytes_per_second"].get<double>() == doctest::Approx(read));
    CHECK(decode["memory_bytes_per_second"] > 1e8);
    CHECK(decode["memory_share"].get<double>() ==
          doctest::Approx(read / decode["memory_bytes_per_second"].get<double>()));
}

TEST_CASE("bench: --device cuda measures the device, or says what is missing") {
    const Outcome outcome = run("bench", {"-m", benched, "-p", "8", "-n", "2", "-o", "json", "--device", "cuda"});
    if (outcome.code == 0) {
        const json record = json::parse(outcome.out).at(0);
        CHECK(record["device"] == "cuda");
        CHECK(record["memory_bytes_per_second"].is_null());
    } else {
        check_lacks_cuda("bench", outcome);
    }
}

TEST_CASE("bench: several sequences advance together") {
    const json all = json::parse(bench({"-p", "16", "-n", "64", "-d", "3", "--parallel", "4", "-o", "json"}));
    REQUIRE(all.size() == 2);
    CHECK(all[0]["test"] == "pp16 x 4 @ d3");
    CHECK(all[1]["test"] == "tg64 x 4 @ d3");
    CHECK(all[1]["n_parallel"] == 4);
    CHECK(all[1]["weights_bytes_per_second"].is_null());
}

TEST_CASE("bench: the bytes for one token are the chosen experts' and the dense weights'") {
    const json record = json::parse(bench({"-p", "0", "-n", "1", "-o", "json", "--no-bandwidth"})).at(0);
    std::ostringstream shown;  // as inspect shows it, which counts from the file's tensors
    shown.precision(3);
    shown << record["weights_bytes_per_token"].get<double>() / (1 << 20) << " MiB for a token";
    CHECK(mentions(output_of("inspect", {benched}), {shown.str()}));
}

TEST_CASE("bench: the model is named by path, size and hash") {
    const json record = json::parse(bench({"-p", "1", "-n", "0", "-o", "json", "--no-bandwidth"})).at(0);
    CHECK(record["model_file"] == benched);
    CHECK(record["model_bytes"] == read_file(benched).size());
    const TempFolder folder;
    auto bytes = read_file(benched);
    const std::string copy = (folder / "copy.gguf").string();
    const auto hash_of_copy = [&] {
        write_file(copy, bytes);
        const std::string out = output_of("bench", {"-m", copy, "-p", "1", "-n", "0", "-o", "json", "--no-bandwidth"});
        return json::parse(out).at(0)["model_sample_xxh3"];
    };
    CHECK(hash_of_copy() == record["model_sample_xxh3"]);
    bytes.back() ^= std::byte{1};
    CHECK(hash_of_copy() != record["model_sample_xxh3"]);
}

TEST_CASE("bench: CSV has the keys and values of JSON") {
    const std::vector<std::string> flags = {"-p", "8", "-n", "2", "--no-bandwidth", "-o"};
    const auto with = [&](const char* format) {
        auto all = flags;
        all.emplace_back(format);
        return bench(all);
    };
    const json expected = json::parse(with("json"));
    std::istringstream csv(with("csv"));
    std::vector<std::vector<std::string>> rows;
    for (std::string line; std::getline(csv, line);) {
        REQUIRE(line.ends_with('\r'));
        rows.push_back(cells(std::string_view(line).substr(0, line.size() - 1)));
    }
    REQUIRE(rows.size() == 1 + expected.size());
    for (std::size_t r = 0; r < expected.size(); ++r) {
        REQUIRE(rows[r + 1].size() == rows[0].size());
        REQUIRE(rows[0].size() == expected[r].size());
        for (std::size_t c = 0; c < rows[0].size(); ++c) {
            CAPTURE(rows[0][c]);
            REQUIRE(expected[r].contains(rows[0][c]));
            const json& value = expected[r][rows[0][c]];
            if (value.is_string()) CHECK(rows[r + 1][c] == value.get<std::string>());
            if (value.is_null()) CHECK(rows[r + 1][c] == "");
            if (value.is_number_integer() && rows[0][c].find("rss") == std::string::npos) {
                CHECK(rows[r + 1][c] == std::to_string(value.get<long>()));
            }
        }
    }
}

TEST_CASE("bench: Markdown is a table of as many columns everywhere, then the facts") {
    const std::string text = bench({"-p", "8", "-n", "2"});
    std::istringstream lines(text);
    std::size_t rows = 0;
    for (std::string line; std::getline(lines, line) && !line.empty(); ++rows) {
        CHECK(std::count(line.begin(), line.end(), '|') == 6);
    }
    CHECK(rows == 4);
    CHECK(mentions(text, {"| pp8 |", "| tg2 |", "GB/s", "% of", "cpu: ", "model_file: " + benched, "peak memory: "}));
}

TEST_CASE("bench: says what is wrong") {
    using Case = std::pair<std::vector<std::string>, std::vector<std::string_view>>;
    const std::array<Case, 5> usage = {{
        {{"-p", "0", "-n", "0"}, {"-p 0", "-n 0"}},
        {{"-t", "0"}, {"-t", "'0'"}},
        {{"-r", "many"}, {"-r", "'many'"}},
        {{"-o", "xml"}, {"-o", "'xml'", "json"}},
        {{"--speed"}, {"--speed"}},
    }};
    for (const auto& [flags, words] : usage) {
        const Outcome outcome = run("bench", flags);
        CAPTURE(outcome.err);
        CHECK(outcome.code == 2);
        for (const std::string_view word : words) CHECK(outcome.err.find(word) != outcome.err.npos);
    }
    const Outcome missing = run("bench", {"-m", "/no/model.gguf"});
    CHECK(missing.code == 1);
    CHECK(mentions(missing.err, {"/no/model.gguf", "No such file"}));
    const Outcome vocabulary = run("bench", {"-m", SLUICE_SOURCE_DIR "/tests/golden/qwen3-vocab.gguf"});
    CHECK(vocabulary.code == 1);
    CHECK(mentions(vocabulary.err, {"qwen3-vocab.gguf"}));
}
