// SPDX-License-Identifier: Apache-2.0
//! The laws of what OpenAI's API takes: a request comes to what its client has said, and to nothing else.
//!
//!     TEST_CASE("my API keeps the laws") { sluice::contracts::openai_request_laws("my API", my_path); }
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/text_draws.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/json_text.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::contracts {

//! What a request has come to.
struct AskedFor {
    SamplingParams sampling{.temperature = 1.0F};
    std::optional<std::uint64_t> seed{};                          //!< none: left open, to be drawn
    std::string prompt{};                                         //!< as the model gets it, in any form
    std::optional<GenerateOptions> generate = GenerateOptions();  //!< none: cannot be seen at the end of this path
};

//! A path that requests take: from the text of the body to what comes of it, or to the refusal.
struct RequestPath {
    std::function<Expected<AskedFor>(const std::string& body)> ask;
    std::string prompt;  //!< the member of the body without which there is no request, as in "\"prompt\":\"Hi\""

    //! With more members: {name, JSON}.
    Expected<AskedFor> operator()(Case& c, const std::vector<std::pair<std::string, std::string>>& members) const {
        std::string body = '{' + prompt;
        for (const auto& [name, json] : members) {
            append_json_string(body += ',', name);
            body += ':' + json;
        }
        c.given("body", body + '}');
        return ask(body + '}');
    }
};

namespace detail {

inline std::string json_string(std::string_view text) {
    std::string json;
    append_json_string(json, text);
    return json;
}

//! A field of a request.
struct RequestField {
    std::vector<std::string> names;  //!< which mean the same
    //! A value as JSON; what it comes to is set in `asked`.
    std::function<std::string(Case&, AskedFor& asked)> draw;
    //! Expects this field alone to be the same.
    std::function<void(const Case&, const AskedFor& got, const AskedFor& expected)> compare;
    std::vector<std::string> wrong;  //!< values of types that it cannot have
};

template <class T>
RequestField sampling_field(std::vector<std::string> names, T SamplingParams::*member, double lowest, double highest) {
    const std::string name = names.front();
    std::vector<std::string> wrong = {"\"hot\"", "true", "[]", "{}"};
    if (std::is_integral_v<T>) wrong.push_back("1.5");
    return {std::move(names),
            [=](Case& c, AskedFor& asked) {
                const double drawn = c.pick({lowest, highest, c.real(lowest, highest)});
                const double value = std::is_integral_v<T> ? std::round(drawn) : drawn;
                asked.sampling.*member = static_cast<T>(value);
                return to_text(value);
            },
            [=](const Case& c, const AskedFor& got, const AskedFor& expected) {
                c.equal(name, got.sampling.*member, expected.sampling.*member);
            },
            wrong};
}

inline RequestField bias_field() {
    return {{"logit_bias"},
            [](Case& c, AskedFor& asked) {
                std::string json;
                for (Token token = 0; c.chance(0.6) && token < 5; ++token) {
                    const double bias = c.real(-100.0, 100.0);
                    asked.sampling.logit_bias.push_back({token, static_cast<float>(bias)});
                    json += (json.empty() ? "" : ",") + json_string(to_text(token)) + ':' + to_text(bias);
                }
                return '{' + json + '}';
            },
            [](const Case& c, const AskedFor& got, const AskedFor& expected) {
                const auto told = [](const AskedFor& asked) {
                    std::string all;
                    for (const TokenBias& b : asked.sampling.logit_bias) {
                        all += to_text(b.token) + ':' + to_text(b.bias) + ' ';
                    }
                    return all;
                };
                c.equal("logit_bias", told(got), told(expected));
            },
            {"1", "\"x\"", "[]", "{\"x\":1}", "{\"1\":true}"}};
}

inline RequestField seed_field() {
    return {{"seed"},
            [](Case& c, AskedFor& asked) {
                const auto seed = c.pick({std::int64_t{0}, std::int64_t{42}, static_cast<std::int64_t>(c.bits())});
                asked.seed = static_cast<std::uint64_t>(seed);
                return to_text(seed);
            },
            [](const Case& c, const AskedFor& got, const AskedFor& expected) {
                if (!expected.seed) return;  // openai_request.absent_seed_is_fresh
                c.expect(got.seed.has_value(), "the seed is lost");
                c.equal("seed", *got.seed, *expected.seed);
            },
            {"1.5", "\"1\"", "true", "[]", "18446744073709551615"}};
}

//! Of what ends an answer: compare(c, got, expected) of the options, where the path shows them.
template <class Draw, class Compare>
RequestField generate_field(std::vector<std::string> names, Draw draw, Compare compare,
                            std::vector<std::string> wrong) {
    return {std::move(names), [draw](Case& c, AskedFor& asked) { return draw(c, *asked.generate); },
            [compare](const Case& c, const AskedFor& got, const AskedFor& expected) {
                if (got.generate) compare(c, *got.generate, *expected.generate);
            },
            std::move(wrong)};
}

inline std::vector<RequestField> request_fields() {
    using Params = SamplingParams;
    using Options = GenerateOptions;
    const auto max_tokens = [](Case& c, Options& options) {
        return to_text(options.max_tokens = c.integer<std::size_t>(1, 1000));
    };
    const auto same_max_tokens = [](const Case& c, const Options& got, const Options& expected) {
        c.equal("max_tokens", got.max_tokens, expected.max_tokens);
    };
    const auto stop = [](Case& c, Options& options) {
        std::string list;
        for (int left = c.integer(1, 4); left > 0; --left) {
            options.stop.push_back('.' + text(c, 2));
            list += (list.empty() ? "" : ",") + json_string(options.stop.back());
        }
        return options.stop.size() == 1 && c.chance(0.5) ? list : '[' + list + ']';
    };
    const auto same_stop = [](const Case& c, const Options& got, const Options& expected) {
        c.equal("stop", got.stop, expected.stop);
    };
    const auto ignore_eos = [](Case& c, Options& options) {
        options.ignore_stop_tokens = c.chance(0.5);
        return std::string(options.ignore_stop_tokens ? "true" : "false");
    };
    const auto same_ignore_eos = [](const Case& c, const Options& got, const Options& expected) {
        c.equal("ignore_eos", got.ignore_stop_tokens, expected.ignore_stop_tokens);
    };
    return {
        sampling_field({"temperature"}, &Params::temperature, 0.0, 2.0),
        sampling_field({"top_p"}, &Params::top_p, 0.0, 1.0),
        sampling_field({"top_k"}, &Params::top_k, 0, 100),
        sampling_field({"min_p"}, &Params::min_p, 0.0, 1.0),
        sampling_field({"presence_penalty"}, &Params::presence_penalty, -2.0, 2.0),
        sampling_field({"frequency_penalty"}, &Params::frequency_penalty, -2.0, 2.0),
        sampling_field({"repeat_penalty", "repetition_penalty"}, &Params::repetition_penalty, 0.5, 2.0),
        sampling_field({"repeat_last_n"}, &Params::repeat_last_n, -1, 100),
        bias_field(),
        seed_field(),
        generate_field({"max_tokens", "max_completion_tokens"}, max_tokens, same_max_tokens,
                       {"\"9\"", "true", "[]", "1.5", "-1"}),
        generate_field({"stop"}, stop, same_stop, {"1", "true", "{}", "[1]", "\"\""}),
        generate_field({"ignore_eos"}, ignore_eos, same_ignore_eos, {"1", "\"true\"", "[]"}),
    };
}

//! Some of the fields, in any order and under any of their names; some that are null, which is as if they were absent.
struct DrawnRequest {
    std::vector<std::pair<std::string, std::string>> members{};
    AskedFor expected{};
    std::vector<bool> is_given;

    DrawnRequest(Case& c, const std::vector<RequestField>& fields) : is_given(fields.size(), false) {
        const double share = c.pick({0.1, 0.5, 1.0});
        for (const std::size_t i : c.shuffled(fields.size())) {
            const std::string name = c.pick(std::span<const std::string>(fields[i].names));
            is_given[i] = c.chance(share);
            if (is_given[i]) {
                members.emplace_back(name, fields[i].draw(c, expected));
            } else if (c.chance(0.1)) {
                members.emplace_back(name, "null");
            }
        }
    }
};

//! It is refused, and the refusal names the field.
inline void expect_refused_field(Case& c, const RequestPath& path, const std::string& name, const std::string& json) {
    const auto asked = path(c, {{name, json}});
    c.expect(!asked.ok(), "it is answered");
    c.expect(asked.status().message().find(name) != std::string::npos,
             "the field is not named: " + asked.status().message());
}

}  // namespace detail

inline std::vector<Law> openai_request_law_list(const RequestPath& path) {
    using namespace detail;
    const std::vector<RequestField> fields = request_fields();
    return {
        {"openai_request.given_fields_arrive", "Each field that is given arrives with its value, whatever else is.",
         [path, fields](Case& c) {
             const DrawnRequest request(c, fields);
             const AskedFor got = value_of(c, path(c, request.members));
             for (std::size_t i = 0; i < fields.size(); ++i) {
                 if (request.is_given[i]) fields[i].compare(c, got, request.expected);
             }
         }},
        {"openai_request.absent_fields_are_neutral",
         "A field that is absent or null changes nothing: temperature 1, and all else off.",
         [path, fields](Case& c) {
             const DrawnRequest request(c, fields);
             const AskedFor got = value_of(c, path(c, request.members));
             for (std::size_t i = 0; i < fields.size(); ++i) {
                 if (!request.is_given[i]) fields[i].compare(c, got, AskedFor());
             }
         }},
        {"openai_request.absent_seed_is_fresh", "Without a seed each request has another one.",
         [path](Case& c) {
             const auto first = value_of(c, path(c, {})).seed, second = value_of(c, path(c, {})).seed;
             c.expect(!first || first != second, "two requests have the seed " + to_text(first.value_or(0)));
         }},
        {"openai_request.temperature_is_heard",
         "A request with a temperature above 0, and nothing else, draws each of several tokens of equal logits.",
         [path](Case& c) {
             const auto asked = value_of(c, path(c, {{"temperature", to_text(c.real(0.1, 2.0))}}));
             auto sampler = value_of(c, make_standard_sampler(asked.sampling));
             std::vector<bool> drawn(c.integer<std::size_t>(2, 4), false);
             for (std::uint64_t seed = 0; seed < 100; ++seed) {
                 std::vector<float> logits(drawn.size(), 1.0F);
                 const SampleContext context{.history = {}, .seed = seed, .position = 1};
                 drawn[static_cast<std::size_t>(value_of(c, sampler.sample(logits, context)))] = true;
             }
             c.equal("tokens drawn", drawn, std::vector<bool>(drawn.size(), true));
         }},
        {"openai_request.model_name_chooses_nothing", "Whatever model the client names, the request comes to the same.",
         [path, fields](Case& c) {
             DrawnRequest request(c, fields);
             const AskedFor expected = value_of(c, path(c, request.members));
             const std::string name = c.pick<std::string>(
                 {"gpt-4o", "llama-3-8b-instruct", "mistral-7b", "phi-3", "deepseek-r1", "qwen2-moe", text(c)});
             request.members.emplace_back("model", json_string(name));
             const AskedFor got = value_of(c, path(c, request.members));
             c.equal("prompt", got.prompt, expected.prompt);
             for (std::size_t i = 0; i < fields.size(); ++i) {
                 if (request.is_given[i]) fields[i].compare(c, got, expected);
             }
         }},
        {"openai_request.wrong_types_are_named", "A value that its field cannot have is refused by the field's name.",
         [path, fields](Case& c) {
             const RequestField& field = fields[c.integer<std::size_t>(0, fields.size() - 1)];
             expect_refused_field(c, path, c.pick(std::span<const std::string>(field.names)),
                                  c.pick(std::span<const std::string>(field.wrong)));
         }},
        {"openai_request.unknown_fields_are_named", "A field that nobody knows is refused by its name.",
         [path](Case& c) {
             const std::string name = c.pick<std::string>(
                 {"temprature", "top_kk", "Top_P", "best_of", "beam_width", "x" + to_text(c.integer(0, 999))});
             expect_refused_field(c, path, name, c.pick<std::string>({"1", "true", "null", "\"x\"", "{}"}));
         }},
    };
}

//! Checks all laws of a path, inside a doctest test case.
inline void openai_request_laws(std::string_view subject, const RequestPath& path) {
    check_laws(subject, openai_request_law_list(path));
}

}  // namespace sluice::contracts
