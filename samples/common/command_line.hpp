// SPDX-License-Identifier: Apache-2.0
//! The flags of a program. CLI11 does the work behind it, in one translation unit, as its header is slow to compile.
#pragma once

#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/status.hpp"

namespace CLI {
class App;
}

namespace samples {

//! Each add() names a flag ("-n,--predict") and the variable that it sets; parse() sets them. A flag given twice counts
//! as its last one, but for lists.
class CommandLine {
public:
    //! `description` is the text above the flags in --help.
    CommandLine(std::string program, const std::string& description);
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    //! The flags added from here on stand under this title in --help.
    void group(std::string title);

    //! Takes no value.
    void add(const std::string& names, bool& to, const std::string& help);

    void add(const std::string& names, std::string& to, const std::string& help);
    void add(const std::string& names, std::optional<std::string>& to, const std::string& help);
    void add(const std::string& names, std::filesystem::path& to, const std::string& help);

    //! May be given many times.
    void add(const std::string& names, std::vector<std::string>& to, const std::string& help);

    //! One of `choices`.
    void add(const std::string& names, std::string& to, const std::vector<std::string>& choices,
             const std::string& help);

    //! A number from `least` to `most`, for which `check`, if given, finds no fault. Number: float or any integer type
    //! that is instantiated at the end of command_line.cpp.
    template <class Number>
    void add(const std::string& names, Number& to, const std::string& help,
             Number least = std::numeric_limits<Number>::lowest(), Number most = std::numeric_limits<Number>::max(),
             std::function<sluice::Status()> check = {});

    //! Nothing, or the code to exit with: 0 after --help and --version, 2 after a flag that is wrong, which it names
    //! on standard error.
    std::optional<int> parse(int argc, char** argv);

    //! Whether the flag was on the command line.
    bool given(const std::string& name) const;

    //! Says on standard error what is wrong with the flags together. Returns 2.
    int usage_error(std::string_view message) const;

    //! The program's exit code for how it ended: 1 for an error, which is put on standard error. Output that could not
    //! be written is one.
    int exit_code(sluice::Status outcome) const;

private:
    using Set = std::function<void(const std::string& value)>;
    void add_value(const std::string& names, const std::string& kind, const std::string& help, Set set);

    std::string program_;
    std::string group_;
    std::unique_ptr<CLI::App> app_;
};

}  // namespace samples
