// SPDX-License-Identifier: Apache-2.0
//! What the test cases of a build left behind: how each ended, which laws were tried on which policies, and which laws
//! caught each mutant.
//!
//! Every test program writes these records itself, a file per case (tests/case_records.hpp) and one per suite of laws
//! (sluice/contracts/record.hpp). ctest's own logs would not do: while ctest runs, and the checker is one of its tests,
//! they are not yet written, and the next `ctest -R` overwrites them. A record counts if it is younger than the program
//! that wrote it: what was removed, or has not been run since the last build, is not taken for shown.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "finding.hpp"

namespace sluice::contracts {

struct CaseRecord {
    std::string name, program;  //!< the program's file name
    std::string result;         //!< "passed", "failed", "skipped", "unfinished", or "outdated": older than its program
    int assertions = 0;
};

struct LawRecord {
    std::string law, subject;
    bool passed = false;
    int cases = 0;
    long long expectations = 0;  //!< that its cases stated: one that states none cannot fail
    std::string test_case;
    bool case_passed = false;  //!< if not, it may have ended before its last law
};

struct MutantRecord {
    std::string name, law;
    std::vector<std::string> killed_by;
    bool killed = false;  //!< by `law`
    std::string test_case;
    bool case_passed = false;
};

//! "router" of "router.distinct_experts".
inline std::string concept_of(const std::string& law) { return law.substr(0, law.find('.')); }

struct Records {
    std::vector<CaseRecord> cases;
    std::vector<LawRecord> laws;
    std::vector<MutantRecord> mutants;
};

//! From BUILD/cases and BUILD/laws.
Records read_records(const std::filesystem::path& build, Findings& findings);

}  // namespace sluice::contracts
