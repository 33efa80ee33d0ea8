// SPDX-License-Identifier: Apache-2.0
//! A mutant: a policy broken in exactly one way, to show that a law can fail.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/law.hpp"

namespace sluice::contracts {

struct Mutant {
    std::string name;       //!< what it does wrong: "forgets to renormalise"
    std::string_view law;   //!< the one that must catch it
    std::vector<Law> laws;  //!< all laws of its concept, on the broken policy
};

//! Which laws caught a mutant.
struct Autopsy {
    std::string mutant;
    std::string_view law;
    std::vector<std::string_view> killed_by;

    bool killed() const { return std::find(killed_by.begin(), killed_by.end(), law) != killed_by.end(); }

    std::string message() const {
        std::string text = "the mutant that " + mutant + " ";
        text += killed() ? "was caught by " : "survived " + std::string(law) + "; caught by ";
        for (const std::string_view& id : killed_by) text += (&id == &killed_by.front() ? "" : ", ") + std::string(id);
        return killed_by.empty() ? text + "none" : text;
    }
};

//! Runs all laws of the mutant, each up to its first failure: the one that must catch it to its end, the others, which
//! are only noted, for a few cases.
inline Autopsy run_mutant(const Mutant& mutant, std::uint64_t seed) {
    constexpr std::size_t few = 25;
    Autopsy autopsy{mutant.name, mutant.law, {}};
    for (Law law : mutant.laws) {
        if (law.id != mutant.law) law.cases = std::min(law.cases, few);
        if (!run_law(law, mutant.name, seed).passed()) autopsy.killed_by.push_back(law.id);
    }
    return autopsy;
}

//! The laws, in any mutant's list, that no mutant is named to break: they have not been shown to be able to fail.
inline std::vector<std::string_view> laws_without_mutant(const std::vector<Mutant>& mutants) {
    std::vector<std::string_view> missing;
    for (const Mutant& mutant : mutants) {
        for (const Law& law : mutant.laws) {
            const auto breaks_it = [&](const Mutant& other) { return other.law == law.id; };
            if (std::none_of(mutants.begin(), mutants.end(), breaks_it) &&
                std::find(missing.begin(), missing.end(), law.id) == missing.end()) {
                missing.push_back(law.id);
            }
        }
    }
    return missing;
}

}  // namespace sluice::contracts
