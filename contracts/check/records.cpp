// SPDX-License-Identifier: Apache-2.0
#include "records.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

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
    std::map<std::string, Time> built;  // when the program of a test case was
    for_each_record(build / "cases", findings, [&](const json& record, Time time) {
        std::error_code gone;
        const std::filesystem::path path = build / record.at("program").get<std::string>();
        const Time program = std::filesystem::last_write_time(path, gone);
        if (gone) return;
        const std::string name = record.at("test_case");
        const bool is_current = time >= program;
        if (is_current) built[name] = program;
        records.cases.push_back({name, path.filename().string(), is_current ? record.at("result") : json("outdated"),
                                 record.at("assertions")});
    });
    for_each_record(build / "laws", findings, [&](const json& record, Time time) {
        const auto program = built.find(record.at("test_case"));
        if (program == built.end() || time < program->second) return;
        if (record.contains("mutant")) {
            records.mutants.push_back(
                {record.at("mutant"), record.at("law"), record.at("killed_by"), record.at("killed")});
        } else {
            records.laws.push_back({record.at("law"), record.at("subject"), record.at("passed"), record.at("cases")});
        }
    });
    return records;
}

}  // namespace sluice::contracts
