// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <limits>
#include <random>

namespace samples {

using namespace sluice;

std::filesystem::path embedded_model() {
    std::filesystem::path in_source_tree = SLUICE_SAMPLE_MODEL;
    std::error_code error;  // of a test for existence: then it does not exist
    if (std::filesystem::exists(in_source_tree, error)) return in_source_tree;
    return std::filesystem::read_symlink("/proc/self/exe", error).replace_filename(in_source_tree.filename());
}

void ModelOptions::add_to(CommandLine& flags) {
    flags.group("Model");
    flags.add("-m,--model", path, "a GGUF file; without it, the embedded story model");
    flags.add("-c,--ctx-size", load.context, "positions to make room for; 0: as many as the model knows [4096]");
    flags.add("-t,--threads", load.threads, "0: one for each processor [0]", std::size_t{0}, LoadOptions::max_threads);
    flags.add("-b,--batch-size,--batch", load.batch, "tokens of a prompt that are computed at a time [256]",
              std::size_t{1});
    flags.add("--cpu-moe", load.cpu_moe,
              "with --device cuda: keep the experts of the last N layers on the CPU, for a small GPU [0]");
}

void GenerationOptions::add_to(CommandLine& flags) {
    const auto add = [&](const std::string& name, auto SamplingParams::*field, const std::string& help) {
        using Number = std::remove_reference_t<decltype(sampling.*field)>;
        const auto check = [this]() -> Status {
            SLUICE_TRY(make_standard_sampler(sampling));
            return {};
        };
        flags.add(name, sampling.*field, help, std::numeric_limits<Number>::lowest(),
                  std::numeric_limits<Number>::max(), check);
    };
    flags.group("When to stop");
    flags.add("-n,--predict", max_tokens, "tokens to generate at most; -1: no limit but the context [-1]",
              std::int64_t{-1});
    flags.add("--stop", stop, "ends the text where this would appear; may be given many times");
    flags.add("--ignore-eos", ignore_stop_tokens, "go on when the model says that it is done");
    flags.add("--draft", draft, {"none", "lookup"},
              "lookup: the same text in fewer steps, where it repeats itself or the prompt [none]");

    flags.group("Choice of tokens");
    flags.add("-s,--seed", seed, "the same seed gives the same text; -1: a fresh one [-1]", std::int64_t{-1});
    add("--temp", &SamplingParams::temperature, "0: always the likeliest token; 1: the model's own distribution [0]");
    add("--top-k", &SamplingParams::top_k, "choose among the N likeliest tokens; 0: all [0]");
    add("--top-p", &SamplingParams::top_p,
        "choose among the likeliest that together have this probability; 1: all [1]");
    add("--min-p", &SamplingParams::min_p, "choose among those N times as likely as the likeliest; 0: all [0]");
    add("--repeat-penalty", &SamplingParams::repetition_penalty, "makes recent tokens less likely; 1: off [1]");
    add("--repeat-last-n", &SamplingParams::repeat_last_n, "tokens that count as recent; 0: none, -1: all [64]");
    add("--presence-penalty", &SamplingParams::presence_penalty,
        "subtracted once from a recent token's logit; 0: off [0]");
    add("--frequency-penalty", &SamplingParams::frequency_penalty, "subtracted for each time it appeared; 0: off [0]");
}

GenerateOptions GenerationOptions::to_generate(const std::atomic<bool>& cancel) const {
    GenerateOptions options;
    if (max_tokens >= 0) options.max_tokens = static_cast<std::size_t>(max_tokens);
    options.stop = stop;
    options.seed = seed >= 0 ? static_cast<std::uint64_t>(seed) : std::random_device()();
    options.ignore_stop_tokens = ignore_stop_tokens;
    options.cancel = &cancel;
    if (draft == "none") options.max_draft = 0;
    return options;
}

void ChatOptions::add_to(CommandLine& flags) {
    flags.group("Conversation");
    flags.add("--system", system, "a system prompt");
    flags.add("--no-think", no_think, "the model answers without thinking first");
}

std::vector<chat::Message> ChatOptions::start() const {
    if (!system) return {};
    return {{chat::Role::system, *system}};
}

chat::Options ChatOptions::options() const { return {.enable_thinking = !no_think}; }

}  // namespace samples
