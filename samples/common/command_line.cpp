// SPDX-License-Identifier: Apache-2.0
#include "command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <utility>

#include "sluice/core/config.hpp"
#include "sluice/core/to_text.hpp"

namespace samples {

using namespace sluice;

namespace {

std::string version_text() {
    return std::to_string(SLUICE_VERSION / 10000) + "." + std::to_string(SLUICE_VERSION / 100 % 100) + "." +
           std::to_string(SLUICE_VERSION % 100);
}

//! "2 to 10", "at least 2", or nothing where the whole range of the type is allowed.
template <class Number>
std::string range_text(Number least, Number most) {
    if (most != std::numeric_limits<Number>::max()) return " from " + to_text(least) + " to " + to_text(most);
    return least == std::numeric_limits<Number>::lowest() ? "" : ", at least " + to_text(least);
}

}  // namespace

CommandLine::CommandLine(std::string program, const std::string& description)
    : program_(std::move(program)), group_("Flags"), app_(std::make_unique<CLI::App>(description, program_)) {
    app_->get_formatter()->column_width(28);
    app_->allow_extras();  // refused in parse(), in the order in which they came
    app_->set_help_flag("-h,--help", "show this and exit");
    app_->set_version_flag("--version", program_ + " (Sluice) " + version_text(), "show the version and exit");
}

CommandLine::~CommandLine() = default;

void CommandLine::group(std::string title) { group_ = std::move(title); }

void CommandLine::add_value(const std::string& names, const std::string& kind, const std::string& help, Set set) {
    const auto set_all = [set = std::move(set)](const std::vector<std::string>& values) {
        for (const std::string& value : values) set(value);
        return true;
    };
    app_->add_option(names, set_all, help)->type_name(kind)->expected(1)->take_all()->group(group_);
}

void CommandLine::add(const std::string& names, bool& to, const std::string& help) {
    app_->add_flag(names, to, help)->group(group_);
}

void CommandLine::add(const std::string& names, std::string& to, const std::string& help) {
    add_value(names, "TEXT", help, [&to](const std::string& value) { to = value; });
}

void CommandLine::add(const std::string& names, std::optional<std::string>& to, const std::string& help) {
    add_value(names, "TEXT", help, [&to](const std::string& value) { to = value; });
}

void CommandLine::add(const std::string& names, std::filesystem::path& to, const std::string& help) {
    add_value(names, "FILE", help, [&to](const std::string& value) { to = value; });
}

void CommandLine::add(const std::string& names, std::vector<std::string>& to, const std::string& help) {
    add_value(names, "TEXT", help, [&to](const std::string& value) { to.push_back(value); });
}

void CommandLine::add(const std::string& names, std::string& to, const std::vector<std::string>& choices,
                      const std::string& help) {
    const std::string kind = CLI::detail::join(choices, "|");
    add_value(names, kind, help, [&to, names, choices, kind](const std::string& value) {
        if (std::ranges::find(choices, value) == choices.end()) {
            throw CLI::ValidationError(names, "'" + value + "' is not one of " + kind);
        }
        to = value;
    });
}

template <class Number>
void CommandLine::add(const std::string& names, Number& to, const std::string& help, Number least, Number most,
                      std::function<Status()> check) {
    const auto set = [&to, names, least, most, check = std::move(check)](const std::string& value) {
        const char* end = value.data() + value.size();
        const auto [rest, error] = std::from_chars(value.data(), end, to);
        if (error != std::errc() || rest != end || !(to >= least && to <= most)) {
            const std::string kind = std::is_integral_v<Number> ? "a whole number" : "a number";
            throw CLI::ValidationError(names, "'" + value + "' is not " + kind + range_text(least, most));
        }
        const Status status = check ? check() : Status();
        if (!status.ok()) throw CLI::ValidationError(names, status.what() + "; " + status.mend());
    };
    add_value(names, "N", help, set);
}

template void CommandLine::add(const std::string&, float&, const std::string&, float, float, std::function<Status()>);
template void CommandLine::add(const std::string&, std::int32_t&, const std::string&, std::int32_t, std::int32_t,
                               std::function<Status()>);
template void CommandLine::add(const std::string&, std::int64_t&, const std::string&, std::int64_t, std::int64_t,
                               std::function<Status()>);
template void CommandLine::add(const std::string&, std::size_t&, const std::string&, std::size_t, std::size_t,
                               std::function<Status()>);

std::optional<int> CommandLine::parse(int argc, char** argv) {
    try {
        app_->parse(argc, argv);
    } catch (const CLI::Success& wish) {  // --help or --version
        return app_->exit(wish);
    } catch (const CLI::ArgumentMismatch& error) {  // "--predict: 1 required N missing"
        const std::string text = error.what();
        return usage_error(text.substr(0, text.find(':')) + ": its value is missing");
    } catch (const CLI::ParseError& error) {
        return usage_error(error.what());
    }
    if (!app_->remaining().empty()) return usage_error("'" + app_->remaining().front() + "' is not a flag");
    return std::nullopt;
}

bool CommandLine::given(const std::string& name) const { return app_->count(name) > 0; }

int CommandLine::usage_error(std::string_view message) const {
    std::cerr << program_ << ": " << message << "; '" << program_ << " --help' lists the flags\n";
    return 2;
}

int CommandLine::exit_code(Status outcome) const {
    if (outcome.ok() && !std::cout.flush())
        outcome = Status(Errc::io, "standard output", "could not be written", "check where it goes");
    if (outcome.ok()) return 0;
    std::cerr << program_ << ": " << outcome.message() << '\n';
    return 1;
}

}  // namespace samples
