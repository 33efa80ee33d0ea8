// SPDX-License-Identifier: Apache-2.0
//! Ctrl-C as a flag that a generation polls.
#pragma once

#include <atomic>

namespace samples {

//! From now on Ctrl-C (SIGINT) sets the flag that is returned. The program clears it when it has acted on it; a second
//! Ctrl-C before that ends the program at once.
std::atomic<bool>& catch_interrupts();

}  // namespace samples
