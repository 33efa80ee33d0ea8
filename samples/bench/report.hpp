// SPDX-License-Identifier: Apache-2.0
//! Writes measurements as a Markdown table, as JSON or as CSV. One record a test; JSON and CSV repeat the facts of the
//! run in each, so that a line stands alone.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <numeric>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "runner.hpp"
#include "sluice/core/json_text.hpp"
#include "sluice/core/to_text.hpp"

namespace sluice::bench {

using Value = std::variant<std::string, std::uint64_t, double, std::vector<double>>;
using Record = std::vector<std::pair<std::string_view, Value>>;

//! What was measured of one test.
struct Result {
    Test test;
    std::size_t threads = 0;
    std::vector<double> rates;                  //!< tokens a second, of all sequences, of each repetition
    std::uint64_t bytes_per_token = 0;          //!< of weights, for one token alone
    std::optional<double> memory_rate;          //!< bytes a second that as many threads read from memory
    std::uint64_t peak_rss = 0, anonymous = 0;  //!< bytes: at most so far, mapped file included; now, without it

    double mean() const { return std::accumulate(rates.begin(), rates.end(), 0.0) / static_cast<double>(rates.size()); }

    //! Of the sample: divided by n - 1. 0 for one repetition.
    double deviation() const {
        double squares = 0.0;
        for (const double rate : rates) squares += (rate - mean()) * (rate - mean());
        return rates.size() < 2 ? 0.0 : std::sqrt(squares / static_cast<double>(rates.size() - 1));
    }

    //! Bytes of weights read a second. A prefill, or several sequences, read them once for many tokens, so there is no
    //! such number.
    std::optional<double> weights_rate() const {
        if (test.kind != Test::Kind::decode || test.sequences > 1) return std::nullopt;
        return mean() * static_cast<double>(bytes_per_token);
    }
    std::optional<double> memory_share() const {
        if (!weights_rate() || !memory_rate) return std::nullopt;
        return *weights_rate() / *memory_rate;
    }
};

//! The facts of the run, then the result's; numbers that do not apply are NaN (null in JSON, empty in CSV).
inline Record record(const Record& facts, const Result& r) {
    const auto or_nan = [](std::optional<double> value) { return value.value_or(std::nan("")); };
    const bool is_decode = r.test.kind == Test::Kind::decode;
    Record all = facts;
    all.insert(all.end(), {{"test", r.test.name()},
                           {"n_prompt", std::uint64_t{is_decode ? 0 : r.test.tokens}},
                           {"n_gen", std::uint64_t{is_decode ? r.test.tokens : 0}},
                           {"n_depth", std::uint64_t{r.test.depth}},
                           {"n_parallel", std::uint64_t{r.test.sequences}},
                           {"n_threads", std::uint64_t{r.threads}},
                           {"avg_ts", r.mean()},
                           {"stddev_ts", r.deviation()},
                           {"samples_ts", r.rates},
                           {"weights_bytes_per_token", r.bytes_per_token},
                           {"weights_bytes_per_second", or_nan(r.weights_rate())},
                           {"memory_bytes_per_second", or_nan(r.memory_rate)},
                           {"memory_share", or_nan(r.memory_share())},
                           {"peak_rss_bytes", r.peak_rss},
                           {"anonymous_rss_bytes", r.anonymous}});
    return all;
}

//! An array of objects.
inline std::string to_json(std::span<const Record> records) {
    struct Append {
        std::string& out;
        void operator()(const std::string& text) const { append_json_string(out, text); }
        void operator()(std::uint64_t number) const { out += to_text(number); }
        void operator()(double number) const { append_json_number(out, number); }
        void operator()(const std::vector<double>& numbers) const {
            out += '[';
            for (std::size_t i = 0; i < numbers.size(); ++i) {
                if (i > 0) out += ", ";
                append_json_number(out, numbers[i]);
            }
            out += ']';
        }
    };
    std::string out = "[";
    for (const Record& record : records) {
        out += out.size() == 1 ? "\n  {" : ",\n  {";
        for (bool is_first = true; const auto& [key, value] : record) {
            out += std::exchange(is_first, false) ? "\n    " : ",\n    ";
            append_json_string(out, key);
            out += ": ";
            std::visit(Append{out}, value);
        }
        out += "\n  }";
    }
    return out + "\n]\n";
}

//! RFC 4180: a line of names, then a line a record. The numbers of a list are separated by spaces.
inline std::string to_csv(std::span<const Record> records) {
    struct Cell {
        std::string operator()(const std::string& text) const {
            std::string quoted = "\"";
            for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
            return quoted + '"';
        }
        std::string operator()(std::uint64_t number) const { return to_text(number); }
        std::string operator()(double number) const { return std::isfinite(number) ? to_text(number) : ""; }
        std::string operator()(const std::vector<double>& numbers) const {
            std::string text;
            for (const double number : numbers) text += (text.empty() ? "" : " ") + to_text(number);
            return text;
        }
    };
    std::string out;
    const auto line = [&](const Record& record, auto cell) {
        for (std::size_t i = 0; i < record.size(); ++i) out += (i > 0 ? "," : "") + cell(record[i]);
        out += "\r\n";
    };
    if (!records.empty()) line(records[0], [](const auto& field) { return std::string(field.first); });
    for (const Record& record : records)
        line(record, [](const auto& field) { return std::visit(Cell{}, field.second); });
    return out;
}

//! A table of the results and, under it, the facts of the run.
inline std::string to_markdown(const Record& facts, std::span<const Result> results) {
    std::ostringstream out;
    out << std::fixed << "| threads | test | tokens/s | weights read | of memory bandwidth |\n"
        << "| ---: | --- | ---: | ---: | ---: |\n";
    for (const Result& r : results) {
        out << "| " << r.threads << " | " << r.test.name() << " | " << std::setprecision(2) << r.mean() << " ± "
            << r.deviation() << " | ";
        if (const auto rate = r.weights_rate()) out << *rate / 1e9 << " GB/s";
        out << " | ";
        if (const auto part = r.memory_share()) {
            out << std::setprecision(0) << 100 * *part << " % of " << std::setprecision(1) << *r.memory_rate / 1e9
                << " GB/s";
        }
        out << " |\n";
    }
    out << '\n';
    for (const auto& [key, value] : facts) {
        out << "- " << key << ": ";
        std::visit(
            [&](const auto& v) {
                if constexpr (!std::is_same_v<decltype(v), const std::vector<double>&>) out << v;
            },
            value);
        out << '\n';
    }
    if (!results.empty()) {
        out << std::setprecision(1) << "- peak memory: " << static_cast<double>(results.back().peak_rss) / 1e6
            << " MB, mapped file included; " << static_cast<double>(results.back().anonymous) / 1e6
            << " MB without it\n";
    }
    return out.str();
}

}  // namespace sluice::bench
