// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/executor.hpp"

#include <memory>

#include "sluice/contracts/executor_laws.hpp"
#include "sluice/contracts/mutants/executor_mutants.hpp"

using namespace sluice;
using namespace sluice::contracts;

TEST_CASE("executor laws: cpu::SerialExecutor and cpu::ThreadPool") {
    executor_laws("cpu::SerialExecutor", std::make_shared<cpu::SerialExecutor>(), 1);
    for (std::size_t members = 1; members <= 4; ++members) {
        executor_laws("cpu::ThreadPool of " + to_text(members), std::make_shared<cpu::ThreadPool>(members), members);
    }
}

TEST_CASE("executor mutants: each is caught by its law") { check_mutants(executor_mutants()); }
