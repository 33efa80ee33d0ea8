// SPDX-License-Identifier: Apache-2.0
#include "interrupt.hpp"

#include <signal.h>

namespace samples {

namespace {

std::atomic<bool> signalled{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch nothing else");

void on_interrupt(int signal_number) {
    if (!signalled.exchange(true)) return;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

}  // namespace

std::atomic<bool>& catch_interrupts(std::initializer_list<int> signals) {
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_RESTART;  // half-written output is written on
    for (const int signal_number : signals) sigaction(signal_number, &action, nullptr);
    return signalled;
}

}  // namespace samples
