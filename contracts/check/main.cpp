// SPDX-License-Identifier: Apache-2.0
//! Judges the contracts: contracts_check [--strict] [--write] [CONTRACTS BUILD]. Prints a table of the falsifiers and
//! all findings, and ends with 1 if there is one. --strict finds, too, what did not run in a program that a falsifier
//! names. --write puts the table into CONTRACTS/README.md.
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "contract.hpp"
#include "files.hpp"
#include "finding.hpp"
#include "judge.hpp"
#include "records.hpp"

namespace {

using namespace sluice::contracts;

std::string counted(std::size_t count, const std::string& noun) {
    if (count == 0) return "";
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string text_of(const Verdict& verdict) {
    if (!verdict.holds) return "**not shown**";
    return verdict.programs_skipped == 0 ? "holds"
                                         : "holds, " + counted(verdict.programs_skipped, "program") + " skipped";
}

//! A line per falsifier, in Markdown.
std::string table_of(const std::vector<Contract>& contracts, const std::vector<Verdict>& verdicts) {
    std::string table =
        "| contract | falsifier | shown by | mutants killed | evidence | verdict |\n|---|---|---|---|---|---|\n";
    auto verdict = verdicts.begin();
    for (const Contract& contract : contracts) {
        for (const Falsifier& f : contract.falsifiers) {
            const std::string laws = counted(f.laws.size(), "law"), tests = counted(f.tests.size(), "test");
            table += "| [" + contract.id + "](" + contract.id + ".yaml) | " + f.id + " | " + laws +
                     (laws.empty() || tests.empty() ? "" : ", ") + tests + (f.programs.empty() ? "" : " in ") +
                     counted(f.programs.size(), "program") + " | " + counted(f.mutants.size(), "mutant") + " | " +
                     counted(f.evidence.size(), "file") + " | " + text_of(*verdict++) + " |\n";
        }
    }
    return table;
}

//! Laws and mutants by concept, in Markdown.
std::string kills_of(const Records& records) {
    struct Row {
        std::set<std::string> laws;
        std::size_t mutants = 0, killed = 0;
    };
    std::map<std::string, Row> rows;
    Row all;
    for (const LawRecord& law : records.laws) {
        for (Row* row : {&rows[concept_of(law.law)], &all}) row->laws.insert(law.law);
    }
    for (const MutantRecord& mutant : records.mutants) {
        for (Row* row : {&rows[concept_of(mutant.law)], &all}) {
            ++row->mutants;
            row->killed += mutant.killed ? 1 : 0;
        }
    }
    std::string table = "| concept | laws | mutants | killed |\n|---|---|---|---|\n";
    const auto add = [&](const std::string& name, const Row& row) {
        table += "| " + name + " | " + std::to_string(row.laws.size()) + " | " + std::to_string(row.mutants) + " | " +
                 std::to_string(row.killed) + " |\n";
    };
    for (const auto& [name, row] : rows) add(name, row);
    add("all", all);
    return table;
}

//! The page with `table` in the place of the one between its two marks; empty if it has no marks.
std::string with_table(const std::string& page, const std::string& table) {
    const std::string first = "<!-- written by contracts_check --write -->\n", last = "<!-- end -->\n";
    const std::size_t begin = page.find(first), end = page.find(last);
    if (begin == page.npos || end == page.npos || end < begin) return "";
    return page.substr(0, begin + first.size()) + table + page.substr(end);
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    const auto takes = [&](const char* flag) { return std::erase(arguments, flag) > 0; };
    const bool is_strict = takes("--strict"), write = takes("--write");
    if (arguments.empty()) arguments = {SLUICE_SOURCE_DIR "/contracts", SLUICE_BUILD_DIR};
    if (arguments.size() != 2) {
        std::cerr << "usage: contracts_check [--strict] [--write] [CONTRACTS BUILD]\n";
        return 2;
    }
    const std::filesystem::path directory = arguments[0], build = arguments[1], readme = directory / "README.md";

    Findings findings;
    const std::vector<Contract> contracts = read_contracts(directory, findings);
    const Records records = read_records(build, findings);
    if (records.cases.empty()) {
        std::cout << build.string() << ": no test has run there; run ctest\n";
        return 1;
    }
    Judgement judgement = judge(contracts, records, directory, directory.parent_path(), is_strict, findings);
    const std::string kills = "\n" + kills_of(records);
    std::cout << table_of(contracts, judgement.verdicts) << kills << '\n';
    for (const sluice::Status& skipped : judgement.skipped) std::cout << "SKIPPED: " << skipped.message() << '\n';
    for (const sluice::Status& note : judgement.notes) std::cout << "NOTE: " << note.message() << '\n';

    // The page shows what every machine agrees on: all of it, where all can run. What is not shown, or did not run
    // here, is told above.
    for (Verdict& verdict : judgement.verdicts) verdict.holds = true, verdict.programs_skipped = 0;
    const std::string page = text_of(readme);
    const std::string wanted = with_table(page, table_of(contracts, judgement.verdicts) + kills);
    if (wanted.empty()) {
        find(findings, readme.string(), "it has no place for the table",
             "put the two lines there, <!-- written by contracts_check --write --> and <!-- end -->");
    } else if (write && findings.empty()) {
        std::ofstream(readme, std::ios::binary) << wanted;
    } else if (page != wanted) {
        find(findings, readme.string(), "its table is not the one above", "run contracts_check --write");
    }
    for (const sluice::Status& finding : findings) std::cout << finding.message() << '\n';
    std::cout << (findings.empty() ? "Every contract holds" : counted(findings.size(), "finding")) << ".\n";
    return findings.empty() ? 0 : 1;
}
