// SPDX-License-Identifier: Apache-2.0
#include "sluice/sink/logprobs_json.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

using namespace sluice;
using nlohmann::json;

namespace {

const std::vector<TokenLogprob> ranked_token = {{1, -0.5F, "a\""}, {2, -0.25F, "\xC3\xA9"}, {1, -0.5F, "a\""}};
const std::vector<TokenLogprob> cut_token = {{3, -9999.0F, "\xE2\x82"}};

void add(LogprobsJson& logprobs, const std::vector<TokenLogprob>& token, std::string_view text, bool is_stop = false) {
    logprobs.add({.id = token[0].id, .text = text, .is_stop = is_stop, .logprobs = token});
}

}  // namespace

TEST_CASE("logprobs_json: a chat's tokens have their bytes, and the likeliest ones beside them") {
    LogprobsJson logprobs(true);
    CHECK(logprobs.take() == "null");
    add(logprobs, ranked_token, "");
    CHECK(json::parse(logprobs.take()) == json::parse(R"({"content": [
        {"token": "a\"", "logprob": -0.5, "bytes": [97, 34], "top_logprobs": [
            {"token": "é", "logprob": -0.25, "bytes": [195, 169]},
            {"token": "a\"", "logprob": -0.5, "bytes": [97, 34]}]}]})"));
    CHECK(logprobs.take() == "null");
    add(logprobs, cut_token, "");
    add(logprobs, ranked_token, "");
    add(logprobs, ranked_token, "held back", true);
    const json content = json::parse(logprobs.take()).at("content");
    REQUIRE(content.size() == 2);  // no stop token
    CHECK(content[0] == json::parse(R"({"token": "bytes:\\xe2\\x82", "logprob": -9999, "bytes": [226, 130],
                                        "top_logprobs": []})"));
    CHECK(content[1].at("top_logprobs").size() == 2);
}

TEST_CASE("logprobs_json: a plain completion's are lists, with offsets in characters") {
    LogprobsJson logprobs(false);
    add(logprobs, ranked_token, "a\"");
    CHECK(json::parse(logprobs.take()) == json::parse(R"({"tokens": ["a\""], "token_logprobs": [-0.5],
        "top_logprobs": [{"é": -0.25, "a\"": -0.5}], "text_offset": [0]})"));
    logprobs.add({.text = "\xC3\xA9"});  // without log-probabilities
    add(logprobs, cut_token, "");
    add(logprobs, ranked_token, "b");
    CHECK(json::parse(logprobs.take()) == json::parse(R"({"tokens": ["bytes:\\xe2\\x82", "a\""],
        "token_logprobs": [-9999, -0.5], "top_logprobs": [{"bytes:\\xe2\\x82": -9999}, {"é": -0.25, "a\"": -0.5}],
        "text_offset": [3, 3]})"));
}
