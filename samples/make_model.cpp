// SPDX-License-Identifier: Apache-2.0
//! Writes a Qwen3-MoE model file with random weights, of any size: to measure speed, or to test, without a download.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "common/command_line.hpp"
#include "common/terminal.hpp"
#include "sluice/core/checked.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/io/gguf_writer.hpp"
#include "sluice/model/load.hpp"
#include "synthetic/recipe.hpp"
#include "synthetic/vocabulary.hpp"
#include "synthetic/weights.hpp"

namespace {

using namespace sluice;
using namespace sluice::synthetic;

struct Flags {
    std::filesystem::path output;
    std::string preset{presets[0].name}, format;
    shape::Dynamic shape;  // 0: the preset's
    std::size_t context = 0;
    std::filesystem::path vocabulary;
    std::size_t seed = 1;
    bool is_dry_run = false;
};

struct SizeFlag {
    const char* name;
    std::size_t shape::Dynamic::*size;
    const char* help;
};
constexpr auto size_flags = std::to_array<SizeFlag>({
    {"--layers", &shape::Dynamic::layers, "transformer layers"},
    {"--hidden", &shape::Dynamic::hidden, "width of the residual stream"},
    {"--heads", &shape::Dynamic::heads, "query heads"},
    {"--kv-heads", &shape::Dynamic::kv_heads, "key and value heads"},
    {"--head-dim", &shape::Dynamic::head_dim, "width of a head"},
    {"--experts", &shape::Dynamic::experts, "experts in a layer"},
    {"--experts-used", &shape::Dynamic::experts_used, "experts that a token uses"},
    {"--expert-ff", &shape::Dynamic::expert_ff, "width of an expert"},
    {"--vocab-size", &shape::Dynamic::vocab, "tokens of the vocabulary"},
});

std::string gigabytes(std::uint64_t bytes) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(bytes < 100'000'000 ? 4 : 2) << static_cast<double>(bytes) / 1e9 << " GB";
    return text.str();
}

Recipe recipe_for(const Flags& flags) {
    Recipe recipe = *std::ranges::find(presets, flags.preset, &Recipe::name);
    for (const SizeFlag& flag : size_flags) {
        if (flags.shape.*flag.size != 0) recipe.shape.*flag.size = flags.shape.*flag.size;
    }
    if (flags.context != 0) recipe.context = flags.context;
    if (!flags.format.empty()) recipe.mix = *std::ranges::find(mixes, flags.format, &Mix::name);
    return recipe;
}

//! Refuses what a loader would refuse, before it is written: the loader is shown the keys.
Status check_sizes(const Recipe& recipe) {
    gguf::Layout layout;
    add_keys(layout, recipe);
    layout.add_tensor("token_embd.weight", quant::Format::F32, {1, recipe.shape.vocab});
    SLUICE_ASSIGN(std::vector<std::byte> bytes, layout.head());
    bytes.resize(bytes.size() + recipe.shape.vocab * sizeof(float));
    SLUICE_ASSIGN(const gguf::File file, gguf::File::from_bytes(bytes, "this model"));
    SLUICE_TRY(model::read_hyperparameters(file));
    return {};
}

//! Of the whole file.
Expected<std::uint64_t> file_bytes(const gguf::Layout& layout) {
    SLUICE_ASSIGN(const std::vector<std::byte> head, layout.head());
    std::uint64_t bytes = head.size();
    for (const gguf::TensorSlot& tensor : layout.tensors()) {
        bytes += *checked_align_up(tensor.bytes, layout.alignment());
    }
    return bytes;
}

Status check_space(const std::filesystem::path& output, std::uint64_t bytes) {
    std::error_code error;
    const std::filesystem::path folder = output.has_parent_path() ? output.parent_path() : ".";
    const std::uintmax_t free = std::filesystem::space(folder, error).available;
    if (error)
        return Status(Errc::io, folder.string(), "cannot be examined: " + error.message(), "name a folder that exists");
    if (free >= bytes) return {};
    return Status(Errc::io, output.string(),
                  "takes " + gigabytes(bytes) + ", but its disk has " + gigabytes(free) + " free",
                  "free some, write to another disk, or ask for a smaller model");
}

//! "51 tensors (25 F32, 18 Q4_K, 8 Q6_K), 0.0083 GB"
std::string summary(std::span<const TensorPlan> plans, std::uint64_t bytes) {
    std::map<std::string_view, std::size_t> formats;
    for (const TensorPlan& plan : plans) ++formats[quant::format_name(plan.format)];
    std::string list;
    for (const auto& [name, count] : formats) {
        list += (list.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(name);
    }
    return std::to_string(plans.size()) + " tensors (" + list + "), " + gigabytes(bytes);
}

//! Makes and writes the weights, a few megabytes at a time.
Status write_tensors(gguf::Writer& writer, const gguf::Layout& layout, std::span<const TensorPlan> plans,
                     std::uint64_t seed, std::uint64_t total) {
    samples::Progress progress("preparing random weights");
    const auto start = std::chrono::steady_clock::now();
    std::map<std::pair<quant::Format, float>, Palette> palettes;
    std::vector<std::byte> chunk;
    std::uint64_t written = 0;
    for (std::uint32_t t = 0; t < plans.size(); ++t) {
        const auto& [name, format, shape, mean, deviation] = plans[t];
        const Palette& palette = palettes.try_emplace({format, deviation}, format, mean, deviation, seed).first->second;
        constexpr std::size_t pieces_at_once = 4096;
        std::uint64_t piece = 0;
        for (std::uint64_t left = layout.tensors()[t].bytes; left > 0; left -= chunk.size()) {
            chunk.resize(std::min<std::uint64_t>(left, pieces_at_once * palette.piece_bytes()));
            palette.fill(t, piece, chunk);
            SLUICE_TRY(writer.write(name, chunk));
            piece += pieces_at_once;
            written += chunk.size();
            const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
            const auto rate = static_cast<std::uint64_t>(static_cast<double>(written) / taken.count());
            progress.show(gigabytes(written) + " of " + gigabytes(total) + ", " + gigabytes(rate) + "/s");
        }
    }
    progress.show("waiting for the disk");
    return writer.finish();
}

Status make_model(const Flags& flags) {
    Recipe recipe = recipe_for(flags);
    gguf::Layout layout;
    if (flags.vocabulary.empty()) {
        if (recipe.shape.vocab < least_vocabulary) {
            return Status(Errc::invalid_argument, "--vocab-size", std::to_string(recipe.shape.vocab) + " is too small",
                          "the bytes and the special tokens alone are " + std::to_string(least_vocabulary));
        }
        add_keys(layout, recipe);
        add_byte_vocabulary(layout, recipe.shape.vocab);
    } else {
        SLUICE_ASSIGN(const gguf::File file, gguf::File::open(flags.vocabulary));
        SLUICE_ASSIGN(const auto tokens, file.get<std::vector<std::string_view>>("tokenizer.ggml.tokens"));
        recipe.shape.vocab = tokens.size();
        add_keys(layout, recipe);
        copy_vocabulary(layout, file);
    }
    SLUICE_TRY(check_sizes(recipe));

    const std::vector<TensorPlan> plans = tensor_plans(recipe);
    for (const TensorPlan& plan : plans) layout.add_tensor(plan.name, plan.format, plan.shape);
    SLUICE_ASSIGN(const std::uint64_t bytes, file_bytes(layout));
    if (!flags.is_dry_run) {
        SLUICE_TRY(check_space(flags.output, bytes));
        SLUICE_ASSIGN(gguf::Writer writer, gguf::Writer::create(flags.output, layout));
        SLUICE_TRY(write_tensors(writer, layout, plans, flags.seed, bytes));
    }
    std::cout << flags.output.string() << (flags.is_dry_run ? " would have " : ": ") << summary(plans, bytes) << '\n';
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags;
    const auto names_of = [](const auto& things) {
        std::vector<std::string> names;
        for (const auto& thing : things) names.emplace_back(thing.name);
        return names;
    };
    samples::CommandLine line(
        "make_model",
        "Writes a Qwen3-MoE model file with random weights. It loads and runs as a real one of its\n"
        "size does, and says nothing sensible.");
    line.add("-o,--output", flags.output, "the file to write");
    line.add("--preset", flags.preset, names_of(presets),
             "the shape to start from: 30b-a3b is Qwen3-30B-A3B's, 18.55 GB as q4_k_m [tiny]");
    line.add("--format", flags.format, names_of(mixes), "the mix of number formats [q4_k_m]");
    line.add("--vocab", flags.vocabulary, "copy the tokenizer of this GGUF file [the bytes, and unused tokens]");
    line.add("--seed", flags.seed, "the same seed and flags write the same file [1]");
    line.add("--dry-run", flags.is_dry_run, "say how large the file would be, and write nothing");
    line.group("Sizes, in place of the preset's");
    for (const SizeFlag& flag : size_flags) {
        line.add<std::size_t>(flag.name, flags.shape.*flag.size, flag.help, 1, 1U << 24U);
    }
    line.add<std::size_t>("--context", flags.context, "positions that the file claims", 1, 1U << 30U);
    if (const auto code = line.parse(argc, argv)) return *code;
    if (flags.output.empty()) return line.usage_error("-o is missing");
    if (!flags.vocabulary.empty() && flags.shape.vocab != 0) {
        return line.usage_error("--vocab-size and --vocab exclude each other: the file has its own size");
    }
    return line.exit_code(make_model(flags));
}
