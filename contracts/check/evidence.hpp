// SPDX-License-Identifier: Apache-2.0
//! The form of an evidence file: the JSON that a run leaves to show a claim that no test of a build can. It is written
//! by benchmarks/evidence/ and judged by contracts_check, both by these rules.
#pragma once

#include <cstddef>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <span>
#include <string>

#include "../../benchmarks/evidence/conclusions.hpp"
#include "files.hpp"
#include "finding.hpp"
#include "sluice/core/hash.hpp"

namespace sluice::contracts {

//! "moe-router-v1.V1_003.json": a falsifier has one.
inline std::string evidence_name(const std::string& contract, const std::string& falsifier) {
    return contract + "." + falsifier + ".json";
}

//! The hash of an evidence program, with the decisions that it shares with the others.
inline std::string hash_of_program(const std::filesystem::path& source) {
    const std::string text = text_of(source) + text_of(source.parent_path() / "claims.hpp");
    return to_hex(hash_of(std::span<const char>(text)));
}

//! Finds what does not follow from the samples among an evidence file's figures. It is judged by the rules of now,
//! whatever program wrote it.
inline void check_conclusion(const nlohmann::json& evidence, const std::string& where, Findings& findings) {
    const std::filesystem::path source = evidence["program"]["source"].get<std::string>();
    try {
        const auto [holds, figures] = evidence::conclude(source.stem().string(), evidence["figures"]);
        if (figures != evidence["figures"]) {
            find(findings, where, "its figures do not follow from its samples", "run its program again");
        }
        if (holds != evidence["holds"]) {
            find(findings, where,
                 std::string("its samples ") + (holds ? "show" : "do not show") +
                     " its claim, but /holds says otherwise",
                 "run its program again");
        }
    } catch (const std::exception& error) {
        find(findings, where, "its samples are not those of its program: " + std::string(error.what()),
             "run its program again");
    }
}

//! Finds what is missing from an evidence file, of another form, or does not follow from its samples.
inline void check_evidence(const nlohmann::json& evidence, const std::string& where, Findings& findings) {
    if (evidence.is_discarded()) return find(findings, where, "it is not JSON", "run its program again");
    const std::size_t before = findings.size();
    using Type = nlohmann::json::value_t;
    struct Field {
        const char *pointer, *form;
        Type type;
        const char* pattern = ".+";  // of a string
    };
    static const Field fields[] = {
        {"/contract", "the contract's id", Type::string},
        {"/version", "the contract's version", Type::number_unsigned},
        {"/falsifier", "the falsifier's id", Type::string},
        {"/claim", "what was to be shown", Type::string},
        {"/holds", "whether it was", Type::boolean},
        {"/command", "the command that was run", Type::string},
        {"/date", "the day, such as 2026-01-31", Type::string, "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"},
        {"/git_version", "what `git describe --always --dirty` says of a commit without changes", Type::string,
         "[0-9a-f]{7,40}"},
        {"/machine/cpu", "the processor", Type::string, "(?!unknown).+"},
        {"/machine/threads", "the number of threads", Type::number_unsigned},
        {"/machine/memory_bytes", "the machine's memory", Type::number_unsigned},
        {"/machine/compiler", "the compiler and its version", Type::string},
        {"/program/source", "its program's source", Type::string, "benchmarks/evidence/[a-z_]+\\.cpp"},
        {"/program/xxh3", "that program's XXH3-64, 16 hexadecimal digits", Type::string, "[0-9a-f]{16}"},
        {"/model/file", "the model's file", Type::string},
        {"/model/xxh3", "its XXH3-64, 16 hexadecimal digits", Type::string, "[0-9a-f]{16}"},
        {"/figures", "what was measured: samples, and what sums them up", Type::object},
    };
    for (const Field& field : fields) {
        const nlohmann::json::json_pointer at(field.pointer);
        const bool is_there = evidence.contains(at) && evidence.at(at).type() == field.type;
        const bool is_right =
            is_there && (field.type != Type::string ||
                         std::regex_match(evidence.at(at).get<std::string>(), std::regex(field.pattern)));
        if (!is_right) {
            find(findings, where, std::string(field.pointer) + " is missing or is not " + field.form,
                 "run its program again");
        }
    }
    if (findings.size() == before) check_conclusion(evidence, where, findings);
}

}  // namespace sluice::contracts
