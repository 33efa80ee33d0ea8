// SPDX-License-Identifier: Apache-2.0
//! The smallest user of Sluice: it compiles with nothing but sluice::sluice, and runs.
#include <iostream>

#include "sluice/sluice.hpp"

int main() {
    const sluice::Status status(sluice::Errc::not_found, "model.gguf", "no such file");
    std::cout << status.message() << '\n';
    return status.ok() ? 1 : 0;
}
