// SPDX-License-Identifier: Apache-2.0
//! The mutation that all parts of a sampler chain can have.
#pragma once

#include "sluice/core/status.hpp"

namespace sluice::contracts::mutants {

//! A stage without the check() of its parameters.
template <class Stage>
struct Unchecked : Stage {
    using Stage::Stage;
    static Status check() { return {}; }
};

}  // namespace sluice::contracts::mutants
