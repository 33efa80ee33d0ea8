// SPDX-License-Identifier: Apache-2.0
#include "terminal.hpp"

#include <iomanip>
#include <iostream>
#include <poll.h>
#include <sstream>
#include <unistd.h>

namespace samples {

bool input_is_terminal() { return isatty(STDIN_FILENO) != 0; }
bool output_is_terminal() { return isatty(STDOUT_FILENO) != 0; }
bool error_is_terminal() { return isatty(STDERR_FILENO) != 0; }

bool wait_for_input(const std::atomic<bool>& interrupted) {
    constexpr int look_again_ms = 50;  // the signal need not end the poll: it may come before, or on another thread
    pollfd input{STDIN_FILENO, POLLIN, 0};
    while (!interrupted) {
        if (poll(&input, 1, look_again_ms) > 0) return true;
    }
    return false;
}

std::string speed_text(std::size_t tokens, double milliseconds) {
    std::ostringstream text;
    text << tokens << (tokens == 1 ? " token" : " tokens");
    if (milliseconds > 0) {
        const double rate = static_cast<double>(tokens) * 1000 / milliseconds;
        text << ", " << std::fixed << std::setprecision(rate < 100 ? 1 : 0) << rate << " tok/s";
    }
    return text.str();
}

void Progress::show(std::string_view text) {
    constexpr std::string_view erase_line = "\r\033[K";
    if (error_is_terminal()) std::cerr << erase_line << text << std::flush;
}

}  // namespace samples
