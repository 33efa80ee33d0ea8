// SPDX-License-Identifier: Apache-2.0
//! Each test case leaves a record of how it ended in the directory SLUICE_CASE_RECORDS, where that is set, for
//! contracts/check. It is "unfinished" until it has ended, so that a crash does not leave the record of an earlier run.
#pragma once

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

#include "skip.hpp"
#include "sluice/contracts/record.hpp"

namespace sluice::test {

class CaseRecords : public doctest::IReporter {
public:
    explicit CaseRecords(const doctest::ContextOptions&) {
        if (const char* directory = std::getenv("SLUICE_CASE_RECORDS")) directory_ = directory;
    }

    void test_case_start(const doctest::TestCaseData& data) override {
        name_ = data.m_name;
        skipped_before_ = std::exchange(skipped, false);
        write("unfinished", 0);
    }
    void test_case_end(const doctest::CurrentTestCaseStats& end) override {
        write(!end.testCaseSuccess ? "failed" : skipped ? "skipped" : "passed", end.numAssertsCurrentTest);
        skipped = skipped || skipped_before_;
    }

    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}

private:
    //! {"test_case", "program", "result", "assertions"}.
    void write(std::string_view result, int assertions) const {
        if (directory_.empty()) return;
        const std::string program = contracts::this_program();
        const Status status = contracts::write_records(directory_, program + ": " + name_,
                                                       contracts::JsonLine()
                                                           .text("test_case", name_)
                                                           .text("program", program)
                                                           .text("result", result)
                                                           .number("assertions", assertions)
                                                           .end());
        if (!status.ok()) std::cerr << status.message() << std::endl;
    }

    std::filesystem::path directory_;
    std::string name_;
    bool skipped_before_ = false;
};

DOCTEST_REGISTER_LISTENER("case_records", 1, CaseRecords);

}  // namespace sluice::test
