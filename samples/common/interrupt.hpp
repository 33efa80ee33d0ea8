// SPDX-License-Identifier: Apache-2.0
//! Ctrl-C, and other signals that ask a program to end, as a flag that it polls.
#pragma once

#include <atomic>
#include <csignal>
#include <initializer_list>

namespace samples {

//! From now on each of these signals, Ctrl-C (SIGINT) for one, sets the flag that is returned. The program clears it
//! when it has acted on it; a second signal before that ends the program at once.
std::atomic<bool>& catch_interrupts(std::initializer_list<int> signals = {SIGINT});

}  // namespace samples
