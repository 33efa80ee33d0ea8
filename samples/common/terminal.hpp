// SPDX-License-Identifier: Apache-2.0
//! What a person at a terminal sees and a pipe does not.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

namespace samples {

//! Whether standard input, output or error is a terminal.
bool input_is_terminal();
bool output_is_terminal();
bool error_is_terminal();

//! Waits until there is something to read on standard input, or its end. False if `interrupted` was set first.
bool wait_for_input(const std::atomic<bool>& interrupted);

//! "17 tokens, 812 tok/s".
std::string speed_text(std::size_t tokens, double milliseconds);

//! One line on standard error that is overwritten as work goes on, and is gone at its end. Nothing in a pipe.
class Progress {
public:
    explicit Progress(std::string_view text) { show(text); }
    ~Progress() { show(""); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void show(std::string_view text);
};

}  // namespace samples
