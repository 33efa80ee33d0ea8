// SPDX-License-Identifier: Apache-2.0
//! Shows what a GGUF file holds: its keys, its tensors, and what a mixture-of-experts model costs to run.
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/command_line.hpp"
#include "common/options.hpp"
#include "sluice/core/json_text.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/io/gguf.hpp"

namespace {

using namespace sluice;

constexpr auto description = R"(Lists the metadata, the tensors and the number formats of a GGUF model file.

For a mixture of experts it adds how many parameters work on a token, and how many bytes are read for it.
Of a split file, name the first part.)";

//! "1.78 GiB", "30.5 billion": four digits at most, in the largest unit that leaves one before the point.
std::string scaled(std::uint64_t number, double step, std::span<const std::string_view> units) {
    auto value = static_cast<double>(number);
    for (; value >= step && units.size() > 1; units = units.subspan(1)) value /= step;
    std::ostringstream text;
    text << std::setprecision(value < 1000 ? 3 : 4) << value << ' ' << units.front();
    return text.str();
}

std::string human_bytes(std::uint64_t bytes) {
    static constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
    return scaled(bytes, 1024, units);
}

std::string human_count(std::uint64_t count) {
    static constexpr std::array<std::string_view, 4> units{"", "thousand", "million", "billion"};
    return scaled(count, 1000, units);
}

//! Text from a file, fit for a terminal: control characters escaped, broken UTF-8 shown as U+FFFD.
std::string literal(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

std::string show(bool value) { return value ? "true" : "false"; }

std::string show(std::string_view text) {
    constexpr std::size_t most = 60;
    if (text.size() <= most) return literal(text);
    const std::string_view start = text.substr(0, most);
    return literal(start.substr(0, utf8::valid_prefix(start))) + "... (" + to_text(text.size()) + " bytes)";
}

template <class Number>
requires std::is_arithmetic_v<Number> std::string show(Number value) { return to_text(value); }

//! The value, or the first elements of an array, as T, which can hold all numbers of the value's type.
template <class T>
std::string show_as(const gguf::Value& value) {
    constexpr std::size_t most = 6;
    if (value.type() != gguf::ValueType::array) return show(*value.as<T>());
    const auto elements = *value.as<std::vector<T>>();
    std::string text;
    for (std::size_t i = 0; i < std::min(most, elements.size()); ++i) {
        text += (i == 0 ? "" : ", ") + show(T(elements[i]));
    }
    return "[" + text + (elements.size() > most ? ", ...] (" + to_text(elements.size()) + ")" : "]");
}

std::string show(const gguf::Value& value) {
    switch (value.element_type()) {
        case gguf::ValueType::boolean:
            return show_as<bool>(value);
        case gguf::ValueType::string:
            return show_as<std::string_view>(value);
        case gguf::ValueType::f32:
            return show_as<float>(value);
        case gguf::ValueType::f64:
            return show_as<double>(value);
        case gguf::ValueType::u64:
            return show_as<std::uint64_t>(value);
        default:
            return show_as<std::int64_t>(value);
    }
}

using TableRow = std::vector<std::string>;

//! A title, then the rows in columns. `alignment` has a letter a column: r for numbers, l for the rest.
void print_table(std::string_view title, std::string_view alignment, const std::vector<TableRow>& rows) {
    std::vector<int> widths(alignment.size());
    for (const TableRow& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], static_cast<int>(row[i].size()));
    }
    std::cout << '\n' << title << '\n';
    for (const TableRow& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            const bool ends_the_line = i + 1 == row.size() && alignment[i] == 'l';
            std::cout << "  " << (alignment[i] == 'r' ? std::right : std::left)
                      << std::setw(ends_the_line ? 0 : widths[i]) << row[i];
        }
        std::cout << '\n';
    }
}

void print_metadata(const gguf::File& file) {
    std::vector<TableRow> rows;
    for (const auto& [key, value] : file.metadata()) {
        const std::string name = literal(key);
        rows.push_back({name.substr(1, name.size() - 2), value.type_name(), show(value)});
    }
    print_table("Metadata", "lll", rows);
}

void print_tensors(const gguf::File& file) {
    std::vector<TableRow> rows;
    for (const gguf::Tensor& tensor : file.tensors()) {
        const std::string name = literal(tensor.name);
        rows.push_back({name.substr(1, name.size() - 2), std::string(quant::format_name(tensor.format)),
                        gguf::shape_text(tensor.extents()), human_bytes(tensor.bytes.size())});
    }
    print_table("Tensors", "lllr", rows);
}

void print_formats(const gguf::File& file) {
    struct Total {
        std::uint64_t tensors = 0, elements = 0, bytes = 0;
    };
    std::map<std::string_view, Total> totals;
    const auto add = [&](std::string_view group, const gguf::Tensor& tensor) {
        Total& total = totals[group];
        ++total.tensors;
        total.elements += tensor.elements();
        total.bytes += tensor.bytes.size();
    };
    for (const gguf::Tensor& tensor : file.tensors()) {
        add(quant::format_name(tensor.format), tensor);
        add("all", tensor);
    }
    std::vector<TableRow> rows;
    for (const auto& [format, total] : totals) {
        std::ostringstream bits;
        bits << std::setprecision(4) << 8.0 * static_cast<double>(total.bytes) / static_cast<double>(total.elements);
        rows.push_back({std::string(format), to_text(total.tensors) + " tensors",
                        human_count(total.elements) + " parameters", bits.str() + " bits each",
                        human_bytes(total.bytes)});
    }
    print_table("Formats", "lrrrr", rows);
}

//! What one token costs: of the experts only the chosen ones, of the embedding one row.
Status print_experts(const gguf::File& file) {
    if (file.find("general.architecture") == nullptr) return {};
    SLUICE_ASSIGN(const auto architecture, file.get<std::string>("general.architecture"));
    SLUICE_ASSIGN(const auto experts, file.get_or<std::uint32_t>(architecture + ".expert_count", 0));
    if (experts == 0) return {};
    SLUICE_ASSIGN(const auto used, file.get<std::uint32_t>(architecture + ".expert_used_count"));

    const bool tied = file.tensor("output.weight") == nullptr;
    std::uint64_t parameters = 0, active = 0, bytes = 0;
    for (const gguf::Tensor& tensor : file.tensors()) {
        parameters += tensor.elements();
        if (tensor.name.find("_exps.") != tensor.name.npos) {
            active += tensor.elements() / experts * used;
            bytes += tensor.bytes.size() / experts * used;
        } else {
            active += tensor.elements();
            // A tied embedding is read whole at the end, as the output.
            bytes += tensor.bytes.size() / (tensor.name == "token_embd.weight" && !tied ? tensor.shape[1] : 1);
        }
    }
    std::vector<TableRow> rows{{"experts", to_text(experts) + " in a layer, " + to_text(used) + " used for a token"}};
    if (parameters != 0) {
        rows.push_back({"parameters", human_count(parameters) + ", " + human_count(active) + " active for a token"});
        rows.push_back({"weights read", human_bytes(bytes) + " for a token"});
    }
    print_table("Mixture of experts", "ll", rows);
    return {};
}

Status inspect(const std::string& path) {
    SLUICE_ASSIGN(const auto file, gguf::File::open(path));
    std::cout << path << ": GGUF version " << file.version() << ", " << human_bytes(file.file_bytes()) << ", "
              << file.metadata().size() << " keys, " << file.tensors().size() << " tensors\n";
    print_metadata(file);
    if (!file.tensors().empty()) {
        print_tensors(file);
        print_formats(file);
    }
    return print_experts(file);
}

}  // namespace

int main(int argc, char** argv) {
    std::filesystem::path model = samples::embedded_model();
    samples::CommandLine flags("inspect", description);
    flags.add("-m,--model,model", model, "the file; without it, the embedded story model");
    if (const auto code = flags.parse(argc, argv)) return *code;
    return flags.exit_code(inspect(model.string()));
}
