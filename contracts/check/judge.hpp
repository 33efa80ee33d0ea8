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

//! `directory` holds the contracts and evidence/; `source`, the models that evidence files name. Returns, for each
//! falsifier of each contract in order, whether it holds.
std::vector<bool> judge(const std::vector<Contract>& contracts, const Records& records,
                        const std::filesystem::path& directory, const std::filesystem::path& source,
                        Findings& findings);

}  // namespace sluice::contracts
