// SPDX-License-Identifier: Apache-2.0
#include "interrupt.hpp"

#include <signal.h>

namespace samples {

namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch nothing else");

void on_interrupt(int) {
    if (!interrupted.exchange(true)) return;
    signal(SIGINT, SIG_DFL);
    raise(SIGINT);
}

}  // namespace

std::atomic<bool>& catch_interrupts() {
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_RESTART;  // half-written output is written on
    sigaction(SIGINT, &action, nullptr);
    return interrupted;
}

}  // namespace samples
