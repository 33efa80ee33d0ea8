// SPDX-License-Identifier: Apache-2.0
//! What a run of laws or mutants leaves behind for a program to read: a file of JSON lines per run.
#pragma once

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "sluice/contracts/law.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/core/hash.hpp"
#include "sluice/core/json_text.hpp"
#include "sluice/core/status.hpp"

namespace sluice::contracts {

//! An object on one line.
class JsonLine {
public:
    JsonLine& text(std::string_view key, std::string_view value) {
        append_json_string(begin(key), value);
        return *this;
    }
    JsonLine& texts(std::string_view key, const std::vector<std::string_view>& values) {
        std::string& line = begin(key);
        for (const std::string_view& value : values) {
            line += &value == &values.front() ? '[' : ',';
            append_json_string(line, value);
        }
        line += values.empty() ? "[]" : "]";
        return *this;
    }
    template <class Number>
    JsonLine& number(std::string_view key, Number value) {
        append_json_number(begin(key), value);
        return *this;
    }
    JsonLine& truth(std::string_view key, bool value) {
        begin(key) += value ? "true" : "false";
        return *this;
    }
    std::string end() { return line_ + "}\n"; }

private:
    std::string& begin(std::string_view key) {
        line_ += line_.empty() ? '{' : ',';
        append_json_string(line_, key);
        return line_ += ':';
    }
    std::string line_;
};

//! The path of the program that is running; empty where it cannot be told.
inline std::string this_program() {
    std::error_code unknown;
    return std::filesystem::read_symlink("/proc/self/exe", unknown).string();
}

//! {"law", "statement", "concept", "subject", "program", "test_case", "cases", "expectations", "passed", "seed",
//! "milliseconds"}; of a failed one also "failed_seed" and "reason".
inline std::string record_of(const Verdict& verdict, std::string_view test_case) {
    JsonLine line;
    line.text("law", verdict.law).text("statement", verdict.statement).text("concept", concept_of(verdict.law));
    line.text("subject", verdict.subject).text("program", this_program()).text("test_case", test_case);
    line.number("cases", verdict.cases).number("expectations", verdict.expectations);
    line.truth("passed", verdict.passed()).number("seed", verdict.seed);
    line.number("milliseconds", verdict.milliseconds);
    if (verdict.failure) line.number("failed_seed", verdict.failure->seed).text("reason", verdict.failure->reason);
    return line.end();
}

//! {"mutant", "concept", "law", "program", "test_case", "killed_by", "killed"}.
inline std::string record_of(const Autopsy& autopsy, std::string_view test_case) {
    JsonLine line;
    line.text("mutant", autopsy.mutant).text("concept", concept_of(autopsy.law)).text("law", autopsy.law);
    line.text("program", this_program()).text("test_case", test_case);
    line.texts("killed_by", autopsy.killed_by).truth("killed", autopsy.killed());
    return line.end();
}

//! Writes `lines` to a file of `directory` that is named after the run's `title`, so that runs in parallel have files
//! of their own and a repeated run replaces its former one. An empty `directory` writes nothing.
inline Status write_records(const std::filesystem::path& directory, std::string_view title, const std::string& lines) {
    if (directory.empty()) return {};
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    const auto path = directory / (to_hex(hash_of(std::span<const char>(title))) + ".jsonl");
    std::ofstream file(path, std::ios::binary);
    file << lines << std::flush;
    if (file.good()) return {};
    return Status(Errc::io, path.string(), "cannot write the records of " + std::string(title),
                  "let SLUICE_LAW_RECORDS and SLUICE_CASE_RECORDS name directories that can be written");
}

}  // namespace sluice::contracts
