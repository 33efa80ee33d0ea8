// SPDX-License-Identifier: Apache-2.0
#include "terminal.hpp"

#include <iomanip>
#include <iostream>
#include <sstream>
#include <unistd.h>

namespace samples {

bool input_is_terminal() { return isatty(STDIN_FILENO) != 0; }
bool output_is_terminal() { return isatty(STDOUT_FILENO) != 0; }
bool error_is_terminal() { return isatty(STDERR_FILENO) != 0; }

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
