// SPDX-License-Identifier: Apache-2.0
//! The program `evaluate`, from the outside.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "program.hpp"

using namespace sluice::test;
using nlohmann::json;

namespace {

constexpr std::size_t vocab = 2048;
const std::string golden = std::string(SLUICE_SOURCE_DIR) + "/tests/golden/";

//! A folder that is gone at the end.
struct Folder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("sluice_evaluate_" + std::to_string(getpid()));
    Folder() { std::filesystem::create_directory(path); }
    ~Folder() { std::filesystem::remove_all(path); }

    std::string file(const std::string& name) const { return (path / name).string(); }
    std::string file(const std::string& name, const std::string& content) const {
        std::ofstream(path / name) << content;
        return file(name);
    }
    std::size_t size() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), {}));
    }
};

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<float> read_floats(const std::string& path) {
    const std::string bytes = read(path);
    std::vector<float> floats(bytes.size() / sizeof(float));
    std::memcpy(floats.data(), bytes.data(), bytes.size());
    return floats;
}

//! sum((x - y)^2) / sum(y^2)
double nmse(std::span<const float> x, std::span<const float> y) {
    double error = 0, power = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        error += std::pow(static_cast<double>(x[i]) - static_cast<double>(y[i]), 2);
        power += std::pow(static_cast<double>(y[i]), 2);
    }
    return error / power;
}

}  // namespace

TEST_CASE("evaluate: the logits of the golden prompts are as near the exact ones as llama.cpp's") {
    const Folder folder;
    const json manifest = json::parse(read(golden + "story_logits.json"));
    for (const json& prompt : manifest["prompts"]) {
        const json& wanted = prompt["formats"]["Q4_K_M"];
        const std::string ids = folder.file("ids.json", prompt["tokens"].dump()), out = folder.file("logits.f32");
        CHECK(output_of("evaluate", {"--ids", ids, "--logits", out}) == "");
        const std::vector<float> logits = read_floats(out);
        REQUIRE(logits.size() == prompt["tokens"].size() * vocab);
        const std::vector<float> exact = read_floats(golden + wanted["logits"].get<std::string>());
        const auto positions = prompt["positions"].get<std::vector<std::size_t>>();
        REQUIRE(exact.size() == positions.size() * vocab);
        std::vector<double> errors;
        for (std::size_t i = 0; i < positions.size(); ++i) {
            errors.push_back(nmse(std::span(logits).subspan(positions[i] * vocab, vocab),
                                  std::span(exact).subspan(i * vocab, vocab)));
        }
        std::ranges::nth_element(errors, errors.begin() + 2);  // the median: at some positions experts are near ties
        CAPTURE(prompt["name"]);
        CHECK(errors[2] <= wanted["llama_cpp_f16"]["nmse"].get<double>() * 1.1);
    }
}

TEST_CASE("evaluate: the perplexity is that of the logits") {
    const Folder folder;
    const std::string text = "Once upon a time, there was a fox. He lived in a small house in the forest.";
    const json ids = json::parse(
        output_of("tokenize", {"-m", std::string(SLUICE_SOURCE_DIR) + "/samples/models/story-Q4_K_M.gguf"}, text));
    const std::string out = folder.file("logits.f32");
    output_of("evaluate", {"--ids", folder.file("ids.json", ids.dump()), "--logits", out});
    const std::vector<float> logits = read_floats(out);
    double nll = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        double sum = 0;
        for (std::size_t k = 0; k < vocab; ++k) sum += std::exp(static_cast<double>(logits[i * vocab + k]));
        nll += std::log(sum) - static_cast<double>(logits[i * vocab + ids[i + 1].get<std::size_t>()]);
    }
    nll /= static_cast<double>(ids.size() - 1);

    const json judged = json::parse(output_of("evaluate", {"--perplexity", folder.file("text.txt", text)}));
    CHECK(judged["tokens"] == ids.size() - 1);
    CHECK(judged["nll"].get<double>() == doctest::Approx(nll));
    CHECK(judged["perplexity"].get<double>() == doctest::Approx(std::exp(nll)));
    CHECK(judged["perplexity"].get<double>() < 20);
}

TEST_CASE("evaluate: --kv f32 computes with a more precise cache, --kv q8_0 with a smaller one") {
    const Folder folder;
    const std::string ids = folder.file("ids.json", "[1, 2, 3, 4, 5, 6, 7, 8]"), out = folder.file("logits.f32");
    const auto logits = [&](const std::string& kv) {
        output_of("evaluate", {"--ids", ids, "--logits", out, "--kv", kv});
        return read_floats(out);
    };
    const std::vector<float> exact = logits("f32");
    // Of the median position: where two experts are nearly tied, rounding may choose the other one.
    const auto error = [&](const std::vector<float>& rounded) {
        std::vector<double> each;
        for (std::size_t at = 0; at < exact.size(); at += vocab)
            each.push_back(nmse(std::span(rounded).subspan(at, vocab), std::span(exact).subspan(at, vocab)));
        std::sort(each.begin(), each.end());
        return each[each.size() / 2];
    };
    const double halves = error(logits("f16")), levels = error(logits("q8_0"));
    CHECK(halves > 0);
    CHECK(halves < levels);
    CHECK(levels < 1e-3);
}

TEST_CASE("evaluate: a text longer than the context is judged in windows, each token once") {
    const std::string text = output_of("generate", {"--temp", "0", "--ignore-eos", "-n", "300"});
    const json whole = json::parse(output_of("evaluate", {"--perplexity", "-"}, text));
    CHECK(whole["tokens"] > 250);
    for (const std::string context : {"2", "3", "64", "65", "200"}) {
        const json windows = json::parse(output_of("evaluate", {"--perplexity", "-", "-c", context}, text));
        CAPTURE(context);
        CHECK(windows["tokens"] == whole["tokens"]);
        CHECK(windows["nll"] > whole["nll"]);  // the model said this text with all of it in view
    }
}

TEST_CASE("evaluate: what it cannot do leaves no file, and the old one as it was") {
    const Folder folder;
    const std::string out = folder.file("logits.f32", "old");
    struct Case {
        std::string ids, says;
    };
    const std::vector<Case> cases = {
        {"[1, 2048]", "token 2048 is not in the vocabulary of 2048"},
        {"[]", "prompt: is empty; give at least one token"},
        {"", "token ids: byte 0: '[' expected; give a JSON array such as [9707, 11, 1879]"},
        {"[1, x]", "token ids: byte 4: a token id expected"},
        {"[1 2]", "token ids: byte 3: ',' or ']' expected"},
        {"[1] 2", "token ids: byte 4: the end expected"},
        {"[99999999999]", "token ids: byte 1: a token id expected"},
    };
    for (const Case& c : cases) {
        const Outcome outcome = run("evaluate", {"--ids", "-", "--logits", out}, c.ids);
        CAPTURE(c.ids);
        CAPTURE(outcome.err);
        CHECK(outcome.code == 1);
        CHECK(outcome.err.find(c.says) != std::string::npos);
        CHECK(read(out) == "old");
        CHECK(folder.size() == 1);
    }
    const Outcome nowhere = run("evaluate", {"--ids", "-", "--logits", "/no/such/folder/out"}, "[1]");
    CHECK(nowhere.code == 1);
    CHECK(nowhere.err.find("/no/such/folder/out") != std::string::npos);
    const Outcome one_token = run("evaluate", {"--perplexity", "-"}, "a");
    CHECK(one_token.code == 1);
    CHECK(one_token.err.find("nothing to judge") != std::string::npos);
}

TEST_CASE("evaluate: --device cuda gives the CPU's figures, or says what is missing") {
    const Folder folder;
    const std::string text = folder.file("text.txt", "Once upon a time, there was a fox.");
    for (const char* kv : {"f16", "f32", "q8_0"}) {
        const Outcome outcome = run("evaluate", {"--perplexity", text, "--kv", kv, "--device", "cuda"});
        if (outcome.code == 0) {
            CHECK(outcome.out == output_of("evaluate", {"--perplexity", text, "--kv", kv}));
        } else {
            check_lacks_cuda("evaluate", outcome);
        }
    }
}

TEST_CASE("evaluate: writes to a device in place") {
    CHECK(output_of("evaluate", {"--ids", "-", "--logits", "/dev/stdout"}, "[1, 2]").size() ==
          2 * vocab * sizeof(float));
    const Outcome full = run("evaluate", {"--ids", "-", "--logits", "/dev/full"}, "[1, 2]");
    CHECK(full.code == 1);
    CHECK(full.err == "evaluate: /dev/full: could not be written; check its folder and disk\n");
    CHECK(std::filesystem::is_character_file("/dev/full"));
}

TEST_CASE("evaluate: flags that do not fit together are refused") {
    for (const std::vector<std::string>& flags : {std::vector<std::string>{},
                                                  {"--ids", "a"},
                                                  {"--logits", "a"},
                                                  {"--perplexity", "a", "--ids", "b", "--logits", "c"}}) {
        const Outcome outcome = run("evaluate", flags);
        CHECK(outcome.code == 2);
        CHECK(outcome.err.find("--ids") != std::string::npos);
    }
}
