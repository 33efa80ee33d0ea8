// SPDX-License-Identifier: Apache-2.0
//! A contract as its YAML file states it. docs/contracts.md explains the parts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "finding.hpp"

namespace sluice::contracts {

//! One way in which the contract could be shown to be false, and what has tried to.
struct Falsifier {
    std::string id, statement;
    std::vector<std::string> laws, policies, tests, programs, mutants, evidence;
    std::string no_mutants_because, few_cases_because;  //!< empty where there is nothing to excuse
    std::string where;                                  //!< "moe-router-v1.yaml:12"
};

struct Contract {
    std::string id;  //!< "moe-router-v1", the stem of the file's name
    int version = 0;
    std::vector<Falsifier> falsifiers;
};

//! The *.yaml of a directory, by name. What breaks the form is found and told; only files without such faults are
//! returned.
std::vector<Contract> read_contracts(const std::filesystem::path& directory, Findings& findings);

}  // namespace sluice::contracts
