// SPDX-License-Identifier: Apache-2.0
//! Judges contracts by the records of a build and by the evidence.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "contract.hpp"
#include "finding.hpp"
#include "records.hpp"

namespace sluice::contracts {

struct Verdict {
    bool holds = false;
    std::size_t programs_skipped = 0;  //!< of those that the falsifier names
};

struct Judgement {
    std::vector<Verdict> verdicts;  //!< for each falsifier of each contract, in order
    Findings skipped;               //!< what could not be judged here: programs that did not run, models that are away
    Findings notes;                 //!< what to know of evidence that is no fault: the library has changed since
};

//! `directory` holds the contracts and evidence/; `source`, the programs and models that evidence files name. If
//! `is_strict`, a program that did not run is a finding.
Judgement judge(const std::vector<Contract>& contracts, const Records& records, const std::filesystem::path& directory,
                const std::filesystem::path& source, bool is_strict, Findings& findings);

}  // namespace sluice::contracts
