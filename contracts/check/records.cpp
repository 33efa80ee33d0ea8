// SPDX-License-Identifier: Apache-2.0
#include "records.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <utility>

#include "files.hpp"

namespace sluice::contracts {

namespace {

using nlohmann::json;
using Time = std::filesystem::file_time_type;

//! f(record, time of the file) for each line of each file.
template <class F>
void for_each_record(const std::filesystem::path& directory, Findings& findings, F f) {
    for (const std::filesystem::path& path : files_of(directory, ".jsonl")) {
        std::error_code gone;
        const Time time = std::filesystem::last_write_time(path, gone);
        std::istringstream lines(text_of(path));
        for (std::string line; std::getline(lines, line);) {
            try {
                f(json::parse(line), time);
            } catch (const json::exception& error) {
                find(findings, path.string(), std::string("not a record: ") + error.what(), "run the tests again");
            }
        }
    }
}

}  // namespace

Records read_records(const std::filesystem::path& build, Findings& findings) {
    Records records;
    struct Ran {
        Time built;  // its program
        bool passed;
    };
    std::map<std::pair<json, json>, Ran> ran;  // by program and test case
    for_each_record(build / "cases", findings, [&](const json& record, Time time) {
        std::error_code gone;
        const std::filesystem::path path = build / record.at("program").get<std::string>();
        const Time program = std::filesystem::last_write_time(path, gone);
        if (gone) return;
        const bool is_current = time >= program;
        records.cases.push_back({record.at("test_case"), path.filename().string(),
                                 is_current ? record.at("result") : json("outdated"), record.at("assertions")});
        if (is_current)
            ran[{record.at("program"), record.at("test_case")}] = {program, record.at("result") == "passed"};
    });
    for_each_record(build / "laws", findings, [&](const json& record, Time time) {
        const auto of = ran.find({record.at("program"), record.at("test_case")});
        if (of == ran.end() || time < of->second.built) return;
        if (record.contains("mutant")) {
            records.mutants.push_back({record.at("mutant"), record.at("law"), record.at("killed_by"),
                                       record.at("killed"), record.at("test_case"), of->second.passed});
        } else {
            records.laws.push_back({record.at("law"), record.at("subject"), record.at("passed"), record.at("cases"),
                                    record.at("expectations"), record.at("test_case"), of->second.passed});
        }
    });
    return records;
}

}  // namespace sluice::contracts
