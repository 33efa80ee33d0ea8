// SPDX-License-Identifier: Apache-2.0
//! Paths of requests that are wrong in one way each: a true one, of which one thing is dropped or taken for another.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/openai_request_laws.hpp"
#include "sluice/core/status.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::contracts {

//! Of a true path.
inline std::vector<Mutant> openai_request_mutants(const RequestPath& path) {
    const auto mutant = [](RequestPath faulty, std::string_view name, std::string_view law) {
        return Mutant{std::string(name), law, openai_request_law_list(faulty)};
    };
    //! change(asked, body) of each request that is not refused.
    const auto changed = [=](auto change, std::string_view name, std::string_view law) {
        RequestPath faulty = path;
        faulty.ask = [ask = path.ask, change](const std::string& body) -> Expected<AskedFor> {
            SLUICE_ASSIGN(AskedFor asked, ask(body));
            change(asked, body);
            return asked;
        };
        return mutant(faulty, name, law);
    };
    //! Takes requests that have to be refused for one without members, if `takes(error)`.
    const auto forgiving = [=](auto takes, std::string_view name, std::string_view law) {
        RequestPath faulty = path;
        faulty.ask = [path, takes](const std::string& body) {
            const Expected<AskedFor> asked = path.ask(body);
            return asked.ok() || !takes(asked.status().message()) ? asked : path.ask('{' + path.prompt + '}');
        };
        return mutant(faulty, name, law);
    };

    const auto has = [](const std::string& body, std::string_view name) {
        return body.find('"' + std::string(name) + "\":") != std::string::npos;
    };
    const auto no_top_p = [](AskedFor& asked, const std::string&) { asked.sampling.top_p = 1.0F; };
    const auto no_penalty = [](AskedFor& asked, const std::string&) { asked.sampling.repetition_penalty = 1.0F; };
    const auto no_seed = [](AskedFor& asked, const std::string&) { asked.seed = 0; };
    const auto default_of_42 = [=](AskedFor& asked, const std::string& body) {
        if (!has(body, "seed")) asked.seed = 42;
    };
    const auto default_of_one = [=](AskedFor& asked, const std::string& body) {
        if (!has(body, "top_k")) asked.sampling.top_k = 1;
    };
    const auto default_top_p = [=](AskedFor& asked, const std::string& body) {
        if (!has(body, "top_p")) asked.sampling.top_p = 0.95F;
    };
    const auto default_greedy = [=](AskedFor& asked, const std::string& body) {
        if (!has(body, "temperature")) asked.sampling.temperature = 0.0F;
    };
    const auto by_model_name = [](AskedFor& asked, const std::string& body) {
        if (body.find("llama") != std::string::npos) asked.prompt = "[INST] " + asked.prompt + " [/INST]";
    };
    const auto is_unknown = [](std::string_view error) { return error.find("not a field") != error.npos; };
    const auto is_wrong = [=](std::string_view error) { return !is_unknown(error); };
    const auto given = "openai_request.given_fields_arrive", absent = "openai_request.absent_fields_are_neutral";
    return {
        changed(no_top_p, "drops top_p", given),
        changed(no_penalty, "drops the repetition penalty", given),
        changed(no_seed, "drops the seed", given),
        changed(default_greedy, "is greedy by default", absent),
        changed(default_top_p, "narrows by default", absent),
        changed(default_of_42, "takes 42 for an absent seed", "openai_request.absent_seed_is_fresh"),
        changed(default_of_one, "takes top_k 1 for a default", "openai_request.temperature_is_heard"),
        changed(by_model_name, "lets the model's name choose the template",
                "openai_request.model_name_chooses_nothing"),
        forgiving(is_wrong, "takes what it cannot read for absent", "openai_request.wrong_types_are_named"),
        forgiving(is_unknown, "ignores fields that it does not know", "openai_request.unknown_fields_are_named"),
    };
}

}  // namespace sluice::contracts
