// SPDX-License-Identifier: Apache-2.0
//! How a test case says that it could not run here: it calls skip(reason) and returns.
#pragma once

#include <iostream>
#include <string_view>

namespace sluice::test {

//! Whether a case of this program was skipped; main() then ends with 77, unless another case failed.
inline bool skipped = false;

//! Prints "SKIPPED: reason". The test is then shown as skipped, never as passed.
inline void skip(std::string_view reason) {
    std::cout << "SKIPPED: " << reason << std::endl;
    skipped = true;
}

}  // namespace sluice::test
