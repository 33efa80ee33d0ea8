// SPDX-License-Identifier: Apache-2.0
//! A law: one claim about the policies of a concept, that random cases can refute; and the runner that tries to.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/case.hpp"
#include "sluice/core/to_text.hpp"

namespace sluice::contracts {

//! `check` draws one case's input from its Case, asks the policy, and states what must hold of the answer.
struct Law {
    std::string_view id;         //!< concept.claim, such as "router.distinct_experts"
    std::string_view statement;  //!< the claim, in one sentence
    std::function<void(Case&)> check;
    std::size_t cases = 1000;
};

//! "router" of "router.distinct_experts".
constexpr std::string_view concept_of(std::string_view law) { return law.substr(0, law.find('.')); }

//! The law with this id, or null.
inline const Law* find_law(const std::vector<Law>& laws, std::string_view id) {
    const auto found = std::find_if(laws.begin(), laws.end(), [id](const Law& law) { return law.id == id; });
    return found == laws.end() ? nullptr : &*found;
}

struct Failure {
    std::uint64_t seed = 0;  //!< of the case: its whole input follows from it
    std::string reason;      //!< what was got and what was expected
    std::string inputs;      //!< what the check noted with Case::given()
};

//! What came of running a law on a policy.
struct Verdict {
    std::string_view law, statement;
    std::string subject;           //!< the policy
    std::uint64_t seed = 0;        //!< of the first case
    std::size_t cases = 0;         //!< that were run, the failed one included
    std::size_t expectations = 0;  //!< that they stated
    double milliseconds = 0;       //!< that they took
    std::optional<Failure> failure;

    bool passed() const { return !failure; }

    std::string message() const {
        const std::string about = std::string(law) + " on " + subject;
        if (passed()) return about + ": " + to_text(cases) + " cases passed";
        std::string text = about + ", seed " + to_text(failure->seed) + ": " + failure->reason;
        text += "\n  the law: " + std::string(statement);
        if (!failure->inputs.empty()) text += "\n  the input: " + failure->inputs;
        return text + "\n  SLUICE_LAW_SEED=" + to_text(failure->seed) + " begins with this case";
    }
};

//! What came of one case.
struct CaseOutcome {
    std::optional<Failure> failure;
    std::size_t expectations = 0;  //!< that it stated
};

//! One case. An exception that leaves the policy is a failure, but for CannotBegin.
inline CaseOutcome run_case(const Law& law, std::uint64_t seed) {
    Case c(seed);
    const auto failed = [&](std::string reason) {
        return CaseOutcome{Failure{seed, std::move(reason), c.inputs()}, c.expectations()};
    };
    try {
        law.check(c);
        return {std::nullopt, c.expectations()};
    } catch (const Broken& broken) {
        return failed(broken.message);
    } catch (const CannotBegin&) {
        throw;
    } catch (const std::exception& thrown) {
        return failed(std::string("it threw ") + thrown.what());
    } catch (...) {
        return failed("it threw what is no std::exception");
    }
}

//! The law's cases with the seeds from `seed` on, up to the first failure.
inline Verdict run_law(const Law& law, std::string_view subject, std::uint64_t seed) {
    Verdict verdict{law.id, law.statement, std::string(subject), seed, 0, 0, 0.0, std::nullopt};
    const auto start = std::chrono::steady_clock::now();
    while (verdict.cases < law.cases && verdict.passed()) {
        CaseOutcome outcome = run_case(law, seed + verdict.cases++);
        verdict.failure = std::move(outcome.failure);
        verdict.expectations += outcome.expectations;
    }
    verdict.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    return verdict;
}

}  // namespace sluice::contracts
