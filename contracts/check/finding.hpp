// SPDX-License-Identifier: Apache-2.0
//! What the checker finds wrong: where, what, and the mend.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sluice/core/status.hpp"

namespace sluice::contracts {

using Findings = std::vector<Status>;

inline void find(Findings& findings, std::string where, std::string what, std::string mend) {
    findings.emplace_back(Errc::corrupt, std::move(where), std::move(what), std::move(mend));
}

}  // namespace sluice::contracts
