// SPDX-License-Identifier: Apache-2.0
//! Laws and mutants inside doctest's test cases; the one place that includes doctest and reads the environment. Link
//! sluice::contracts and find_package(doctest)'s doctest::doctest to your test program.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/law.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/record.hpp"
#include "sluice/core/status.hpp"

namespace sluice::contracts {

//! How to run laws and mutants.
struct Run {
    std::uint64_t seed = 1;         //!< of the first case of each law
    std::filesystem::path records;  //!< a directory, or empty to leave none

    //! SLUICE_LAW_SEED and SLUICE_LAW_RECORDS, where they are set.
    static Run from_environment() {
        const char* seed = std::getenv("SLUICE_LAW_SEED");
        const char* records = std::getenv("SLUICE_LAW_RECORDS");
        return {seed ? std::strtoull(seed, nullptr, 10) : 1, records ? records : ""};
    }
};

namespace detail {

//! The name of the test case that is running.
inline std::string_view test_case() { return doctest::getContextOptions()->currentTest->m_name; }

inline void keep(const Run& run, std::string_view title, const std::string& lines) {
    const std::string whole_title = this_program() + ": " + std::string(test_case()) + ": " + std::string(title);
    const Status status = write_records(run.records, whole_title, lines);
    CHECK_MESSAGE(status.ok(), status.message());
}

}  // namespace detail

//! Checks that the policy called `subject` keeps its laws.
inline void check_laws(std::string_view subject, const std::vector<Law>& laws,
                       const Run& run = Run::from_environment()) {
    std::string lines;
    for (const Law& law : laws) {
        const Verdict verdict = run_law(law, subject, run.seed);
        CHECK_MESSAGE(verdict.passed(), verdict.message());
        lines += record_of(verdict, detail::test_case());
    }
    detail::keep(run, subject, lines);
}

//! Checks that each mutant is caught by the law it is meant for, and that each law has a mutant.
inline void check_mutants(const std::vector<Mutant>& mutants, const Run& run = Run::from_environment()) {
    std::string lines;
    for (const Mutant& mutant : mutants) {
        const Autopsy autopsy = run_mutant(mutant, run.seed);
        CHECK_MESSAGE(autopsy.killed(), autopsy.message());
        lines += record_of(autopsy, detail::test_case());
    }
    for (const std::string_view law : laws_without_mutant(mutants)) FAIL_CHECK("no mutant is meant for " << law);
    detail::keep(run, "mutants", lines);
}

}  // namespace sluice::contracts
