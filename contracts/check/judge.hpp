// SPDX-License-Identifier: Apache-2.0
//! Judges contracts by the records of a build and by the evidence.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "contract.hpp"
#include "finding.hpp"
#include "records.hpp"

namespace sluice::contracts {

struct Judgement {
    std::vector<bool> holds;           //!< for each falsifier of each contract, in order
    std::vector<std::string> skipped;  //!< what did not run in a program that a falsifier names, as it could not here
};

//! `directory` holds the contracts and evidence/; `source`, the models that evidence files name.
Judgement judge(const std::vector<Contract>& contracts, const Records& records, const std::filesystem::path& directory,
                const std::filesystem::path& source, Findings& findings);

}  // namespace sluice::contracts
