// SPDX-License-Identifier: Apache-2.0
//! The program `contracts_check`: each of its checks finds the one fault that was put into fixtures/sound.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "e2e/program.hpp"
#include "skip.hpp"

using namespace sluice::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* contract = "contracts/sums-v1.yaml";
constexpr const char* evidence = "contracts/evidence/sums-v1.V1_002.json";
constexpr const char* cases = "build/cases/sum.jsonl";
constexpr const char* laws = "build/laws/sum.jsonl";
constexpr const char* readme = "contracts/README.md";

const std::string other_table = "DIR/contracts/README.md: its table is not the one above; run contracts_check --write";

//! A part of the records of laws.
const std::string of_tests = R"("program":"programs/tests","test_case":"sum laws",)";

//! A copy of fixtures/sound, in which the records are as young as its program.
class Copy {
public:
    Copy() {
        fs::remove_all(path_);
        fs::copy(SLUICE_SOURCE_DIR "/tests/contracts/fixtures/sound", path_, fs::copy_options::recursive);
        const auto now = fs::file_time_type::clock::now();
        for (const char* file : {"build/programs/tests", cases, laws}) fs::last_write_time(path_ / file, now);
    }
    ~Copy() { fs::remove_all(path_); }

    const fs::path& path() const { return path_; }
    std::string read(const std::string& file) const {
        std::ifstream in(path_ / file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void write(const std::string& file, const std::string& text) const {
        const auto time =
            fs::exists(path_ / file) ? fs::last_write_time(path_ / file) : fs::file_time_type::clock::now();
        std::ofstream(path_ / file) << text;
        fs::last_write_time(path_ / file, time);
    }
    void append(const std::string& file, const std::string& line) const { write(file, read(file) + line + '\n'); }
    void remove(const std::string& file) const { fs::remove(path_ / file); }
    void replace(const std::string& file, std::string_view from, std::string_view to) const {
        std::string text = read(file);
        const std::size_t at = text.find(from);
        REQUIRE(at != text.npos);
        write(file, text.replace(at, from.size(), to));
    }
    //! Makes a record as old as if the program had been built since.
    void age(const std::string& file) const {
        fs::last_write_time(path_ / file, fs::last_write_time(path_ / file) - std::chrono::hours(1));
    }

    Outcome check(std::vector<std::string> flags = {}) const {
        flags.insert(flags.end(), {(path_ / "contracts").string(), (path_ / "build").string()});
        return run("contracts_check", flags);
    }
    //! What the checker finds but for the page's table, which a fault may change, too.
    std::string findings() const {
        const std::string all = all_findings();
        return all.ends_with(other_table) && all.size() > other_table.size()
                   ? all.substr(0, all.size() - other_table.size() - 1)
                   : all;
    }
    //! What the checker finds, a line each, with DIR for this directory: what it prints between its tables and a last
    //! line with their number.
    std::string all_findings() const {
        const Outcome outcome = check();
        CHECK(outcome.code == 1);
        CHECK(outcome.err == "");
        const std::size_t begin = outcome.out.rfind("|\n\n") + 3;
        const std::size_t end = outcome.out.rfind('\n', outcome.out.size() - 2);
        REQUIRE(begin <= end);
        std::string found = outcome.out.substr(begin, end - begin);
        const auto count = std::count(found.begin(), found.end(), '\n') + 1;
        CHECK(outcome.out.substr(end + 1) == std::to_string(count) + (count == 1 ? " finding.\n" : " findings.\n"));
        for (std::size_t at = 0; (at = found.find(path_.string())) != found.npos;) {
            found.replace(at, path_.string().size(), "DIR");
        }
        return found;
    }

private:
    fs::path path_ = fs::temp_directory_path() / ("sluice_contracts_" + std::to_string(getpid()));
};

//! One fault, and what is found.
struct Fault {
    std::string file;
    std::string_view from, to;
    std::string found;
};

void check_faults(std::initializer_list<Fault> faults) {
    for (const Fault& fault : faults) {
        CAPTURE(fault.to);
        const Copy copy;
        copy.replace(fault.file, fault.from, fault.to);
        CHECK(copy.findings() == fault.found);
    }
}

}  // namespace

TEST_CASE("contracts_check: finds nothing where nothing is wrong, and passes over what is no more") {
    const Outcome outcome = Copy().check();
    CHECK(outcome.code == 0);
    CHECK(outcome.out.find("| V1_001 | 2 laws, 1 test | 2 mutants |  | holds |") != std::string::npos);
    CHECK(outcome.out.substr(outcome.out.rfind("|\n\n")) == "|\n\nEvery contract holds.\n");
}

TEST_CASE("contracts_check: a contract of another form") {
    check_faults({
        {contract, "description:", "descriptions:",
         "sums-v1.yaml:7: the contract has the unknown key 'descriptions'; remove it; known are metadata, description, "
         "equations, falsifiers, in_scope, out_of_scope, status\n"
         "sums-v1.yaml:1: the contract has no key 'description'; add it: a text"},
        {contract, "in_scope:\n  - whole numbers\n", "",
         "sums-v1.yaml:1: the contract has no key 'in_scope'; add it: a list of texts"},
        {contract, "    how: They are timed.\n", "",
         "sums-v1.yaml:18: an item of falsifiers has no key 'how'; add it: a text"},
        {contract, "in_scope:\n  - whole numbers", "in_scope: whole numbers",
         "sums-v1.yaml:25: 'in_scope' is not a list of texts; write one"},
        {contract, "  version: 1", "  version: one", "sums-v1.yaml:3: 'version' is not a number from 1 on; write one"},
        {contract, "date: 2026-01-31", "date: 2026-13-31",
         "sums-v1.yaml:4: 'date' is not a date such as 2026-01-31; write one"},
        {contract, "mutants: [adds one, drops the second]", "mutants: []",
         "sums-v1.yaml:16: 'mutants' is not a list of texts; write one, or leave the key out"},
        {contract, "metadata:", "description: Twice.\nmetadata:",
         "sums-v1.yaml:8: the contract has the key 'description' twice; keep one"},
        {contract, "falsifiers:", "falsifiers: [",
         "sums-v1.yaml:11: it is not YAML: illegal block entry; mend the syntax"},
        {contract, "description: Sums are what they should be.", "description: ''",
         "sums-v1.yaml:7: 'description' is not a text; write one"},
        {contract, "metadata:\n", "metadata: none\nunused:\n",
         "sums-v1.yaml:1: 'metadata' is not a mapping; write one\n"
         "sums-v1.yaml:2: the contract has the unknown key 'unused'; remove it; known are metadata, description, "
         "equations, falsifiers, in_scope, out_of_scope, status"},
        {contract, "falsifiers:\n", "falsifiers: none\nunused:\n",
         "sums-v1.yaml:10: 'falsifiers' is not a list of mappings; write one\n"
         "sums-v1.yaml:11: the contract has the unknown key 'unused'; remove it; known are metadata, description, "
         "equations, falsifiers, in_scope, out_of_scope, status"},
    });
    const Copy copy;
    copy.write(contract, "just a text\n");
    CHECK(copy.findings() == "sums-v1.yaml: it is not a mapping; see docs/contracts.md for the keys of a contract");
}

TEST_CASE("contracts_check: no contracts, and arguments that it does not take") {
    const Copy copy;
    copy.remove(contract);
    CHECK(copy.findings() == "DIR/contracts: no *.yaml is here; give the directory of the contracts");
    for (const std::vector<std::string>& wrong :
         {std::vector<std::string>{"--check"}, {"contracts"}, {"a", "b", "c"}}) {
        const Outcome outcome = run("contracts_check", wrong);
        CHECK(outcome.code == 2);
        CHECK(outcome.out == "");
        CHECK(outcome.err == "usage: contracts_check [--strict] [--write] [CONTRACTS BUILD]\n");
    }
}

TEST_CASE("contracts_check: names and versions that do not fit together") {
    check_faults({
        {contract, "id: sums-v1", "id: sum-v1",
         "sums-v1.yaml:2: the id is 'sum-v1', the file is named 'sums-v1'; give both one name"},
        {contract, "  version: 1\n", "  version: 2\n",
         "sums-v1.yaml:3: the id 'sums-v1' does not end with '-v2'; a changed contract has a new version, and a file "
         "of its name\n"
         "sums-v1.yaml:30: the status history ends with another version than 2; tell there what became of this "
         "version\n"
         "sums-v1.yaml:11: the falsifier's id 'V1_001' is not such as V2_001; give it the contract's version and three "
         "digits\n"
         "sums-v1.yaml:18: the falsifier's id 'V1_002' is not such as V2_001; give it the contract's version and three "
         "digits"},
        {contract, "version: 1, note", "version: 2, note",
         "sums-v1.yaml:30: the status history ends with another version than 1; tell there what became of this "
         "version"},
        {contract, "id: V1_002", "id: V1_001",
         "sums-v1.yaml:18: the falsifier's id 'V1_001' comes twice; number them anew"},
        {contract, "id: V1_002", "id: V2_002",
         "sums-v1.yaml:18: the falsifier's id 'V2_002' is not such as V1_001; give it the contract's version and three "
         "digits"},
    });
}

TEST_CASE("contracts_check: laws that do not exist, did not run, failed, or cannot fail") {
    check_faults({
        {contract, "sum.commutes, ", "sum.commute, sum.commutes, ",
         "sums-v1.yaml:11 V1_001: no law sum.commute ran in this build; mend the id, or run ctest -L law"},
        {contract, ", sum.of_zero", "",
         "sums-v1.yaml:11 V1_001: the mutant 'adds one' was killed by none of this falsifier's laws; name the law that "
         "kills it\n"
         "sum.of_zero: the law belongs to no falsifier; name it in a contract"},
        {laws, R"("cases":1000,"expectations":1000,"passed":true)", R"("cases":7,"expectations":7,"passed":false)",
         "sums-v1.yaml:11 V1_001: the law sum.commutes fails on add; run ctest -L law for the case"},
        {laws, R"("cases":1000,"expectations":1000)", R"("cases":1000,"expectations":0)",
         "sums-v1.yaml:11 V1_001: the law sum.commutes states nothing that could fail on add; let its cases expect "
         "something"},
        {contract, "[adds one, ", "[",
         "sums-v1.yaml:11 V1_001: no mutant is named that the law sum.of_zero killed; name one, or write one"},
        {contract, "policies: [add]", "policies: [add, multiply]",
         "sums-v1.yaml:11 V1_001: none of its laws ran on multiply; mend the name, or register the policy"},
        {contract, "    policies: [add]\n", "",
         "sums-v1.yaml:11 V1_001: it names laws, and no policies; name those that the laws must have run on"},
        {laws, "{", "",
         "DIR/build/laws/sum.jsonl: not a record: [json.exception.parse_error.101] parse error at line 1, column 6: "
         "syntax error while parsing value - unexpected ':'; expected end of input; run the tests again\n"
         "sums-v1.yaml:11 V1_001: no law sum.commutes ran in this build; mend the id, or run ctest -L law"},
    });
    const Copy copy;
    copy.age(laws);
    CHECK(copy.findings() ==
          "sums-v1.yaml:11 V1_001: no law sum.commutes ran in this build; mend the id, or run ctest -L law\n"
          "sums-v1.yaml:11 V1_001: no law sum.of_zero ran in this build; mend the id, or run ctest -L law\n"
          "sums-v1.yaml:11 V1_001: no mutant 'adds one' for its laws ran in this build; mend the name, or run ctest -L "
          "law\n"
          "sums-v1.yaml:11 V1_001: no mutant 'drops the second' for its laws ran in this build; mend the name, or run "
          "ctest -L law");
}

TEST_CASE("contracts_check: mutants that do not exist, survive, or are killed by another law") {
    check_faults({
        {contract, "adds one", "adds one, adds two",
         "sums-v1.yaml:11 V1_001: no mutant 'adds two' for its laws ran in this build; mend the name, or run ctest -L "
         "law"},
        {laws, R"(["sum.commutes"],"killed":true)", R"([],"killed":false)",
         "sums-v1.yaml:11 V1_001: no mutant is named that the law sum.commutes killed; name one, or write one\n"
         "sums-v1.yaml:11 V1_001: the mutant 'drops the second' was killed by none of this falsifier's laws; name the "
         "law that kills it\n"
         "sum.commutes: the mutant 'drops the second' survives it; sharpen the law"},
        {laws, R"({"mutant":"adds one")",
         R"({"mutant":"adds two","law":"sum.commutes","program":"programs/tests","test_case":"sum laws","killed_by":[],"killed":false})"
         "\n"
         R"({"mutant":"adds one")",
         "sum.commutes: the mutant 'adds two' survives it; sharpen the law"},
        {contract, R"(tests: ["sum: any type"])", R"(mutants: [adds one])",
         "sums-v1.yaml:18 V1_002: it names mutants and says why it has none; leave out no_mutants_because\n"
         "sums-v1.yaml:18 V1_002: no mutant 'adds one' for its laws ran in this build; mend the name, or run ctest -L "
         "law"},
        {laws, R"("law":"sum.commutes","program":"programs/tests","test_case":"sum laws","killed_by")",
         R"("law":"product.commutes","program":"programs/tests","test_case":"sum laws","killed_by")",
         "sums-v1.yaml:11 V1_001: no mutant is named that the law sum.commutes killed; name one, or write one\n"
         "sums-v1.yaml:11 V1_001: no mutant 'drops the second' for its laws ran in this build; mend the name, or run "
         "ctest -L law"},
        {contract, "    no_mutants_because: It is a rate.\n", "",
         "sums-v1.yaml:18 V1_002: no mutant shows that it can fail; name one, or say no_mutants_because"},
    });
}

TEST_CASE("contracts_check: laws that ran few cases on a policy, with a reason and without") {
    const Copy copy;
    copy.replace(laws, R"("cases":1000)", R"("cases":999)");
    CHECK(copy.findings() ==
          "sums-v1.yaml:11 V1_001: the law sum.commutes ran 999 cases on add, not 1000; let it run more, or name it in "
          "few_cases_because");
    SUBCASE("another policy, on which it ran enough, does not excuse it") {
        copy.append(laws, R"({"law":"sum.commutes","subject":"add of pairs",)" + of_tests +
                              R"("cases":1000,"expectations":1000,"passed":true})");
        CHECK(copy.findings().find("ran 999 cases on add, not 1000") != std::string::npos);
    }
    SUBCASE("a reason excuses the laws that it names") {
        copy.replace(contract, "policies: [add]", "policies: [add]\n    few_cases_because: sum.commutes, it is dear.");
        CHECK(copy.check().code == 0);
        copy.replace(contract, "because: sum.commutes", "because: sum.commutes_too");
        CHECK(
            copy.findings() ==
            "sums-v1.yaml:11 V1_001: few_cases_because names none of its laws; name each that runs few, or leave it "
            "out\n"
            "sums-v1.yaml:11 V1_001: the law sum.commutes ran 999 cases on add, not 1000; let it run more, or name it "
            "in few_cases_because");
    }
    SUBCASE("and no other") {
        copy.replace(contract, "policies: [add]",
                     "policies: [add]\n    few_cases_because: Of sum.commutes and sum.of_zero.");
        CHECK(copy.findings() ==
              "sums-v1.yaml:11 V1_001: few_cases_because names the law sum.of_zero, which ran enough; leave it out");
    }
}

TEST_CASE("contracts_check: a policy's name is that policy's, and one with * stands for all that fit") {
    const Copy copy;
    const auto run_on = [&](const std::string& policy, const std::string& law, const std::string& count) {
        copy.append(laws, R"({"law":")" + law + R"(","subject":")" + policy + R"(",)" + of_tests + R"("cases":)" +
                              count + R"(,"expectations":1000,"passed":true})");
    };
    for (const char* law : {"sum.commutes", "sum.of_zero"}) run_on("add of pairs", law, "1000");
    CHECK(copy.check().code == 0);
    SUBCASE("the beginning of a name is none") {
        copy.replace(contract, "policies: [add]", "policies: [ad]");
        CHECK(
            copy.findings() ==
            "sums-v1.yaml:11 V1_001: the law sum.commutes ran on none of the policies; name one that it must have run "
            "on\n"
            "sums-v1.yaml:11 V1_001: the law sum.of_zero ran on none of the policies; name one that it must have run "
            "on\n"
            "sums-v1.yaml:11 V1_001: none of its laws ran on ad; mend the name, or register the policy");
    }
    SUBCASE("what stands for none is found") {
        copy.replace(contract, "policies: [add]", "policies: [add, '*ad', 'add of *s of *']");
        CHECK(copy.findings() ==
              "sums-v1.yaml:11 V1_001: none of its laws ran on *ad; mend the name, or register the policy\n"
              "sums-v1.yaml:11 V1_001: none of its laws ran on add of *s of *; mend the name, or register the policy");
    }
    SUBCASE("each law must have run on each that fits, and enough") {
        run_on("add of fours", "sum.of_zero", "1000");
        run_on("add of threes", "sum.commutes", "1000");
        run_on("add of threes", "sum.of_zero", "7");
        CHECK(copy.check().code == 0);  // they are not named
        copy.replace(contract, "policies: [add]", "policies: ['a*d of *s']");
        CHECK(
            copy.findings() ==
            "sums-v1.yaml:11 V1_001: the law sum.commutes did not run on add of fours; mend the name, or register the "
            "policy\n"
            "sums-v1.yaml:11 V1_001: the law sum.of_zero ran 7 cases on add of threes, not 1000; let it run more, or "
            "name it in few_cases_because");
    }
}

TEST_CASE("contracts_check: laws of several concepts each run on the policies of their own") {
    const Copy copy;
    copy.append(laws, R"({"law":"product.commutes","subject":"multiply",)" + of_tests +
                          R"("cases":1000,"expectations":1000,"passed":true})");
    copy.append(laws, R"({"mutant":"adds","law":"product.commutes",)" + of_tests +
                          R"("killed_by":["product.commutes"],"killed":true})");
    copy.replace(contract, "sum.of_zero]", "sum.of_zero, product.commutes]");
    copy.replace(contract, "[adds one,", "[adds, adds one,");
    CHECK(
        copy.findings() ==
        "sums-v1.yaml:11 V1_001: the law product.commutes ran on none of the policies; name one that it must have run "
        "on");
    copy.replace(contract, "policies: [add]", "policies: [add, multiply]");
    copy.replace(readme, "| 2 laws, 1 test | 2 mutants |", "| 3 laws, 1 test | 3 mutants |");
    copy.replace(readme, "| sum | 2 | 2 | 2 |\n| all | 2 | 2 | 2 |",
                 "| product | 1 | 1 | 1 |\n| sum | 2 | 2 | 2 |\n| all | 3 | 3 | 3 |");
    CHECK(copy.check().code == 0);
    copy.append(laws, R"({"law":"product.of_one","subject":"multiply all",)" + of_tests +
                          R"("cases":1000,"expectations":1000,"passed":true})");
    copy.replace(contract, "[add, multiply]", "[add, multiply, multiply all]");
    CHECK(
        copy.findings() ==
        "sums-v1.yaml:11 V1_001: the law product.commutes did not run on multiply all; mend the name, or register the "
        "policy\n"
        "sums-v1.yaml:11 V1_001: none of its laws ran on multiply all; mend the name, or register the policy\n"
        "product.of_one: the law belongs to no falsifier; name it in a contract");
}

TEST_CASE("contracts_check: a case that did not run in a program of this falsifier is skipped, and told") {
    const Copy copy;
    const std::string page = copy.read(readme);
    copy.replace(contract, "programs: [tests]", "programs: [tests, tests_by_clang]");
    copy.replace(readme, "1 test in 1 program", "1 test in 2 programs");  // as where all run
    const Outcome outcome = copy.check();
    CHECK(outcome.code == 0);
    CHECK(outcome.out.find("| V1_002 | 1 test in 2 programs |  | 1 file | holds, 1 program skipped |") !=
          std::string::npos);
    const std::string what =
        "sums-v1.yaml:18 V1_002: the test case 'sum: any type' did not run in tests_by_clang; build "
        "and run it where that can run\n";
    CHECK(outcome.out.substr(outcome.out.rfind("|\n\n") + 3) == "SKIPPED: " + what + "Every contract holds.\n");

    const Outcome strict = copy.check({"--strict"});
    CHECK(strict.code == 1);
    CHECK(strict.out.find("| 1 file | **not shown** |") != std::string::npos);
    CHECK(strict.out.substr(strict.out.rfind("|\n\n") + 3) == what + "1 finding.\n");

    // The page does not depend on what a machine lacks.
    copy.replace(readme, "1 test in 2 programs", "1 test in 3 programs");
    CHECK(copy.check({"--write"}).code == 0);
    CHECK(copy.read(readme).find("| V1_002 | 1 test in 2 programs |  | 1 file | holds |") != std::string::npos);
    CHECK(copy.check().code == 0);
    copy.replace(contract, ", tests_by_clang", "");
    CHECK(copy.findings() == other_table);
    copy.write(readme, page);
    CHECK(copy.check({"--strict"}).code == 0);
}

TEST_CASE("contracts_check: what a test case left counts if that case has passed, in the program that left it") {
    const std::string of_v1_001 =
        "sums-v1.yaml:11 V1_001: the test case 'sum laws', which ran its laws, has not passed; "
        "run ctest -R for it, and mend what it shows";
    for (const char* result : {"failed", "unfinished", "skipped"}) {
        CAPTURE(result);
        const Copy copy;
        copy.replace(cases, R"("passed","assertions":4)", '"' + std::string(result) + R"(","assertions":4)");
        CHECK(copy.findings() == of_v1_001);
    }
    SUBCASE("mutants have a case of their own") {
        const Copy copy;
        copy.append(cases,
                    R"({"test_case":"sum mutants","program":"programs/tests","result":"unfinished","assertions":0})");
        for (int i = 0; i < 2; ++i) copy.replace(laws, R"("sum laws","killed_by")", R"("sum mutants","killed_by")");
        CHECK(copy.findings() ==
              "sums-v1.yaml:11 V1_001: the test case 'sum mutants', which ran its laws, has not passed; "
              "run ctest -R for it, and mend what it shows");
    }
    SUBCASE("a case of the same name in another program says nothing of this one's laws") {
        const Copy copy;
        copy.write("build/programs/others", "Another test program.");
        copy.age("build/programs/others");
        copy.append(cases, R"({"test_case":"sum laws","program":"programs/others","result":"failed","assertions":1})");
        CHECK(copy.check().code == 0);
        copy.replace(laws, R"("add","program":"programs/tests")", R"("add","program":"programs/others")");
        CHECK(copy.findings() == of_v1_001);
    }
}

TEST_CASE("contracts_check: records of test cases that are none, or are not there") {
    check_faults(
        {{cases, R"({"test_case":"sum: any type<long>")", R"({"test":"sum: any type<long>")",
          "DIR/build/cases/sum.jsonl: not a record: [json.exception.out_of_range.403] key 'test_case' not found; "
          "run the tests again"}});
    const Copy copy;
    copy.remove(cases);
    const Outcome outcome = copy.check();
    CHECK(outcome.code == 1);
    CHECK(outcome.out.find("build: no test has run there; run ctest\n") != std::string::npos);
    CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 1);
}

TEST_CASE(
    "contracts_check: test cases that do not exist, failed, were skipped, crashed, assert nothing or are outdated") {
    check_faults({
        {contract, "sum: 1 + 1", "sum: 1 + 2",
         "sums-v1.yaml:11 V1_001: no test case 'sum: 1 + 2' ran in this build; mend the name, or run ctest"},
        {cases, R"("passed","assertions":1)", R"("failed","assertions":1)",
         "sums-v1.yaml:11 V1_001: the test case 'sum: 1 + 1' failed; run ctest -R for it, and mend what it shows"},
        {cases, R"("passed","assertions":1)", R"("skipped","assertions":1)",
         "sums-v1.yaml:11 V1_001: the test case 'sum: 1 + 1' was skipped; run it where it can run"},
        {cases, R"("passed","assertions":1)", R"("unfinished","assertions":0)",
         "sums-v1.yaml:11 V1_001: the test case 'sum: 1 + 1' was begun, but has not ended; run ctest -R for it, and "
         "mend what it shows"},
        {cases, R"("passed","assertions":1)", R"("passed","assertions":0)",
         "sums-v1.yaml:11 V1_001: the test case 'sum: 1 + 1' asserted nothing; let it check something"},
        {contract, "    tests: [\"sum: any type\"]\n    evidence: [sums-v1.V1_002.json]\n", "",
         "sums-v1.yaml:18 V1_002: nothing tries to falsify it; name laws, tests or evidence\n"
         "evidence/sums-v1.V1_002.json: no falsifier names it; name it in a contract, or remove it"},
    });
    const Copy copy;
    copy.age(cases);
    CHECK(copy.findings() ==
          "sums-v1.yaml:11 V1_001: no law sum.commutes ran in this build; mend the id, or run ctest -L law\n"
          "sums-v1.yaml:11 V1_001: no law sum.of_zero ran in this build; mend the id, or run ctest -L law\n"
          "sums-v1.yaml:11 V1_001: the test case 'sum: 1 + 1' has not run since its program was built; run ctest\n"
          "sums-v1.yaml:11 V1_001: no mutant 'adds one' for its laws ran in this build; mend the name, or run ctest -L "
          "law\n"
          "sums-v1.yaml:11 V1_001: no mutant 'drops the second' for its laws ran in this build; mend the name, or run "
          "ctest -L law\n"
          "sums-v1.yaml:18 V1_002: the test case 'sum: any type<int>' has not run since its program was built; run "
          "ctest\n"
          "sums-v1.yaml:18 V1_002: the test case 'sum: any type<long>' has not run since its program was built; run "
          "ctest");
}

TEST_CASE("contracts_check: evidence that is missing, incomplete, for something else, or against its claim") {
    check_faults({
        {contract, "V1_002.json", "V1_003.json",
         "sums-v1.yaml:18 V1_002: there is no evidence/sums-v1.V1_003.json; run the program that writes it; "
         "docs/contracts.md lists them\n"
         "evidence/sums-v1.V1_002.json: no falsifier names it; name it in a contract, or remove it"},
        {contract, "    evidence: [sums-v1.V1_002.json]\n", "",
         "evidence/sums-v1.V1_002.json: no falsifier names it; name it in a contract, or remove it"},
        {evidence, "{", "", "evidence/sums-v1.V1_002.json: it is not JSON; run its program again"},
        {evidence, R"("git_version": "0123456",)", "",
         "evidence/sums-v1.V1_002.json: /git_version is missing or is not what `git describe --always --dirty` says of "
         "a "
         "commit without changes; run its program again"},
        {evidence, "0123456", "unknown",
         "evidence/sums-v1.V1_002.json: /git_version is missing or is not what `git describe --always --dirty` says of "
         "a "
         "commit without changes; run its program again"},
        {evidence, "0123456", "1.0, of course",
         "evidence/sums-v1.V1_002.json: /git_version is missing or is not what `git describe --always --dirty` says of "
         "a "
         "commit without changes; run its program again"},
        {evidence, "2026-01-31", "2026-01-39",
         "evidence/sums-v1.V1_002.json: /date is missing or is not the day, such as 2026-01-31; run its program again"},
        {evidence, "2026-01-31", "2026-13-31",
         "evidence/sums-v1.V1_002.json: /date is missing or is not the day, such as 2026-01-31; run its program again"},
        {evidence, "0123456", "0123456-dirty",
         "evidence/sums-v1.V1_002.json: /git_version is missing or is not what `git describe --always --dirty` says of "
         "a "
         "commit without changes; run its program again"},
        {evidence, "\"contract\"", "\"contracts\"",
         "evidence/sums-v1.V1_002.json: /contract is missing or is not the contract's id; run its program again"},
        {evidence, "\"version\"", "\"versions\"",
         "evidence/sums-v1.V1_002.json: /version is missing or is not the contract's version; run its program again"},
        {evidence, "\"falsifier\"", "\"falsifiers\"",
         "evidence/sums-v1.V1_002.json: /falsifier is missing or is not the falsifier's id; run its program again"},
        {evidence, "\"claim\"", "\"claims\"",
         "evidence/sums-v1.V1_002.json: /claim is missing or is not what was to be shown; run its program again"},
        {evidence, "\"holds\"", "\"held\"",
         "evidence/sums-v1.V1_002.json: /holds is missing or is not whether it was; run its program again"},
        {evidence, "\"file\"", "\"files\"",
         "evidence/sums-v1.V1_002.json: /model/file is missing or is not the model's file; run its program again"},
        {evidence, "\"cpu\"", "\"gpu\"",
         "evidence/sums-v1.V1_002.json: /machine/cpu is missing or is not the processor; run its program again"},
        {evidence, "\"threads\": 2", "\"threads\": \"two\"",
         "evidence/sums-v1.V1_002.json: /machine/threads is missing or is not the number of threads; run its program "
         "again"},
        {evidence, "\"memory_bytes\": 1024, ", "",
         "evidence/sums-v1.V1_002.json: /machine/memory_bytes is missing or is not the machine's memory; run its "
         "program again"},
        {evidence, "\"compiler\": \"g++ 12\"", "\"compiler\": \"\"",
         "evidence/sums-v1.V1_002.json: /machine/compiler is missing or is not the compiler and its version; run its "
         "program again"},
        {evidence, "06cc", "06CC",
         "evidence/sums-v1.V1_002.json: /model/xxh3 is missing or is not its XXH3-64, 16 hexadecimal digits; run its "
         "program again"},
        {evidence, "2026-01-31", "yesterday",
         "evidence/sums-v1.V1_002.json: /date is missing or is not the day, such as 2026-01-31; run its program again"},
        {evidence, "\"command\"", "\"cmd\"",
         "evidence/sums-v1.V1_002.json: /command is missing or is not the command that was run; run its program again"},
        {evidence, "\"figures\"", "\"numbers\"",
         "evidence/sums-v1.V1_002.json: /figures is missing or is not what was measured: samples, and what sums them "
         "up; run its program again"},
        {evidence, "sums-v1", "products-v1",
         "evidence/sums-v1.V1_002.json: it is for products-v1 V1_002, but sums-v1 V1_002 names it; name the file that "
         "is for this falsifier"},
        {evidence, "V1_002", "V1_001",
         "evidence/sums-v1.V1_002.json: it is for sums-v1 V1_001, but sums-v1 V1_002 names it; name the file that is "
         "for this falsifier"},
        {evidence, "\"version\": 1", "\"version\": 2",
         "evidence/sums-v1.V1_002.json: it is for version 2 of sums-v1; run its command again"},
        {evidence, "At least 9.62 sums", "At least two sums",
         "evidence/sums-v1.V1_002.json: its claim is not the statement of V1_002; state what the program claims, and "
         "run "
         "it again"},
        {evidence, "\"source\"", "\"sources\"",
         "evidence/sums-v1.V1_002.json: /program/source is missing or is not its program's source; run its program "
         "again"},
        {evidence, "benchmarks/evidence/decode_rate", "contracts/decode_rate",
         "evidence/sums-v1.V1_002.json: /program/source is missing or is not its program's source; run its program "
         "again"},
        {evidence, "0ae0", "0AE0",
         "evidence/sums-v1.V1_002.json: /program/xxh3 is missing or is not that program's XXH3-64, 16 hexadecimal "
         "digits; run its program again"},
        {"benchmarks/evidence/decode_rate.cpp", "main() {}", "main() { return 1; }",
         "evidence/sums-v1.V1_002.json: it was written by another program than there is now, by its hash; run its "
         "command again"},
        {"benchmarks/evidence/claims.hpp", "What", "All that",
         "evidence/sums-v1.V1_002.json: it was written by another program than there is now, by its hash; run its "
         "command again"},
        {evidence, "\"holds\": true", "\"holds\": false",
         "evidence/sums-v1.V1_002.json: its samples show its claim, but /holds says otherwise; run its program again"},
        {"model.bin", "weights", "other weights",
         "evidence/sums-v1.V1_002.json: the model is another than was measured, by its hash; run its command again"},
    });
    const Copy copy;
    copy.remove("model.bin");
    const Outcome outcome = copy.check({"--strict"});
    CHECK(outcome.code == 0);
    CHECK(outcome.out.substr(outcome.out.rfind("|\n\n") + 3) ==
          "SKIPPED: evidence/sums-v1.V1_002.json: its model model.bin is not here to be compared by its hash; put the "
          "file there\nEvery contract holds.\n");
}

TEST_CASE("contracts_check: figures and verdicts that do not follow from the samples") {
    const std::string file = "evidence/sums-v1.V1_002.json: ", again = "; run its program again";
    const std::string other_sum = file + "its figures do not follow from its samples" + again;
    const std::string not_shown = file + "its samples do not show its claim, but /holds says otherwise" + again;
    const std::string both = other_sum + '\n' + not_shown;
    const std::string too_few =
        file + "its samples are not those of its program: tokens_per_second has 4 samples, not 5" + again;
    check_faults({
        {evidence, "\": 9.75", "\": 9.8", other_sum},   // a sum
        {evidence, "11.25, ", "9.7, ", other_sum},      // a sample, which still shows the claim
        {evidence, "9.75, 11.25", "9.5, 11.25", both},  // a sample that does not
        {evidence, "9.75, 11.25", "11.25", too_few},    // the slowest sample left out
        {evidence, "[10.5,", "[\"10.5\",",
         file +
             "its samples are not those of its program: [json.exception.type_error.302] type must be number, but is "
             "string" +
             again},
        {evidence, "\"tokens_per_second", "\"tokens_each_second",
         file +
             "its samples are not those of its program: [json.exception.out_of_range.403] key 'tokens_per_second' "
             "not found" +
             again},
    });
    SUBCASE("of a program that is not known") {
        const Copy copy;
        copy.replace(evidence, "evidence/decode_rate", "evidence/sums");
        CHECK(copy.findings() ==
              file + "its samples are not those of its program: no claim is known of the program sums" + again);
    }
    SUBCASE("a run that did not show its claim, and says so") {
        const Copy copy;
        copy.replace(evidence, "9.75, 11.25", "9.5, 11.25");
        copy.replace(evidence, "\": 9.75", "\": 9.5");
        CHECK(copy.findings() == not_shown);
        copy.replace(evidence, "\"holds\": true", "\"holds\": false");
        CHECK(copy.findings() == file + "the run did not show its claim; mend what it measured");
    }
}

TEST_CASE("contracts_check: how often the library has changed since a run is told, and is no finding") {
    const Copy copy;
    const auto git = [&](const std::string& command) {
        const std::string in_copy = "git -C '" + copy.path().string() + "' ";
        return std::system((in_copy + command + " >'" + (copy.path() / "said").string() + "' 2>/dev/null").c_str()) ==
               0;
    };
    const auto commit = [&] {
        return git("add -A") && git("-c user.name=Somebody -c user.email=somebody@example.com commit -q -m Something");
    };
    if (!git("init -q")) return skip("there is no git");
    REQUIRE(commit());
    REQUIRE(git("rev-parse HEAD"));
    copy.replace(evidence, "0123456", copy.read("said").substr(0, 10));
    fs::create_directory(copy.path() / "include");
    const auto told = [&] {
        const Outcome outcome = copy.check({"--strict"});
        CHECK(outcome.code == 0);
        return outcome.out.substr(outcome.out.rfind("|\n\n") + 3);
    };
    REQUIRE(commit());  // of the evidence alone
    CHECK(told() == "Every contract holds.\n");
    copy.write("include/sum.hpp", "1");
    REQUIRE(commit());
    CHECK(told() ==
          "NOTE: evidence/sums-v1.V1_002.json: 1 commit has changed the library since it was written; run its command "
          "again before a release\nEvery contract holds.\n");
    copy.write("include/sum.hpp", "2");
    REQUIRE(commit());
    CHECK(told().starts_with("NOTE: evidence/sums-v1.V1_002.json: 2 commits have changed the library"));
}

TEST_CASE("contracts_check: the page's table must be the one that is found, and can be written") {
    check_faults({
        {readme, "| 2 mutants |", "| 1 mutant |", other_table},
        {readme, "<!-- end -->", "",
         "DIR/contracts/README.md: it has no place for the table; put the two lines there, <!-- written by "
         "contracts_check --write --> and <!-- end -->"},
    });
    const Copy copy;
    const std::string page = copy.read(readme);
    copy.replace(readme, "| 2 mutants |", "| 1 mutant |");
    CHECK(copy.check({"--write"}).code == 0);
    CHECK(copy.read(readme) == page);
    copy.replace(laws, R"("killed":true)", R"("killed":false)");
    CHECK(copy.check({"--write"}).code == 1);
    CHECK(copy.read(readme) == page);
    CHECK(copy.all_findings().ends_with('\n' + other_table));  // with the other finding
}

TEST_CASE(
    "contracts_check: all findings are told, not the first alone, and the table shows which falsifier is not shown") {
    const Copy copy;
    copy.replace(contract, "sum: 1 + 1", "sum: 1 + 2");
    copy.replace(contract, "sum.of_zero", "sum.of_nothing");
    copy.replace(evidence, "\"holds\": true", "\"holds\": false");
    CHECK(copy.findings() ==
          "sums-v1.yaml:11 V1_001: no law sum.of_nothing ran in this build; mend the id, or run ctest -L law\n"
          "sums-v1.yaml:11 V1_001: no test case 'sum: 1 + 2' ran in this build; mend the name, or run ctest\n"
          "sums-v1.yaml:11 V1_001: the mutant 'adds one' was killed by none of this falsifier's laws; name the law "
          "that kills it\n"
          "evidence/sums-v1.V1_002.json: its samples show its claim, but /holds says otherwise; run its program again\n"
          "sum.of_zero: the law belongs to no falsifier; name it in a contract");
    const std::string table = copy.check().out;
    CHECK(table.find("V1_001 | 2 laws, 1 test | 2 mutants |  | **not shown** |") != table.npos);
    CHECK(table.find("V1_002 | 1 test in 1 program |  | 1 file | **not shown** |") != table.npos);
}
