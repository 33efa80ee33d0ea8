// SPDX-License-Identifier: Apache-2.0
//! Continues a text, or answers one message, token by token.
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/device.hpp"
#include "common/files.hpp"
#include "common/interrupt.hpp"
#include "common/load.hpp"
#include "sluice/sluice.hpp"

namespace {

using namespace sluice;

constexpr auto description = R"(Continues a text, or answers one message with --chat, token by token.

Without -p and -f it tells a story, another one each time: that is short for
  generate --chat --no-think -p "Tell me a story." --temp 0.8 --min-p 0.1
With a prompt it gives the likeliest text unless the flags say otherwise. On a terminal, a last line tells the speed and the seed.)";

struct Options {
    samples::ModelOptions model;
    samples::GenerationOptions generation;
    samples::ChatOptions chat;
    std::optional<std::string> prompt;
    std::filesystem::path prompt_file;
    bool is_chat = false;
    std::string format = "text";
    std::string device = "cpu";
};

template <class P>
Expected<std::vector<Token>> prompt_tokens(const Pipeline<P>& pipeline, const Options& o) {
    std::string text = o.prompt.value_or("");
    if (!o.prompt) {
        SLUICE_ASSIGN(text, samples::read_file(o.prompt_file));
        if (text.ends_with('\n')) text.pop_back();
    }
    if (!o.is_chat) return pipeline.text_prompt(text);
    std::vector<chat::Message> messages = o.chat.start();
    messages.push_back({chat::Role::user, text});
    return pipeline.chat_prompt(messages, o.chat.options());
}

void print_summary(const GenerationResult& result, const Options& o, std::uint64_t seed) {
    const std::size_t computed = result.usage.prompt_tokens - result.usage.cached_tokens;
    std::cerr << "\n[" << samples::speed_text(result.usage.completion_tokens, result.timings.predicted_ms)
              << " | prompt: " << samples::speed_text(computed, result.timings.prompt_ms);
    if (o.generation.sampling.temperature > 0) std::cerr << " | seed: " << seed;
    if (o.generation.draft != "none") {
        std::cerr << " | drafts: " << result.drafts.accepted << " of " << result.drafts.drafted << " right";
    }
    std::cerr << " | " << openai_name(result.finish_reason) << "]\n";
}

template <class P>
Status generate(const Options& o, const std::atomic<bool>& interrupted) {
    SLUICE_ASSIGN(auto pipeline, samples::load<P>(o.model));
    SLUICE_ASSIGN(const std::vector<Token> prompt, prompt_tokens(pipeline, o));
    SLUICE_ASSIGN(auto sampler, make_sampler<typename P::Sampler>(o.generation.sampling));
    const GenerateOptions options = o.generation.to_generate(interrupted);
    const auto stream_to = [&](auto sink) { return pipeline.generate(std::span(prompt), options, sampler, sink); };
    SLUICE_ASSIGN(const GenerationResult result,
                  o.format == "jsonl" ? stream_to(JsonLinesSink(std::cout)) : stream_to(OstreamSink(std::cout)));
    if (samples::output_is_terminal()) std::cout << std::endl;
    if (samples::error_is_terminal()) print_summary(result, o, options.seed);
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    Options o;
    samples::CommandLine flags("generate", description);
    flags.add("-p,--prompt", o.prompt, "the text to continue, or the message to answer");
    flags.add("-f,--file", o.prompt_file, "reads it from a file, less its last line break; -: from standard input");
    flags.add("--format", o.format, {"text", "jsonl"}, "jsonl: a JSON object per token, and one with the figures last");
    o.model.add_to(flags);
    samples::add_device(flags, o.device);
    o.generation.add_to(flags);
    o.chat.add_to(flags);
    flags.add("--chat", o.is_chat, "the prompt is a message to an assistant; --system and --no-think imply it");
    if (const auto code = flags.parse(argc, argv)) return *code;
    if (flags.given("-p") && flags.given("-f")) return flags.usage_error("-f: there is a prompt from -p already");

    const bool asks_for_a_story = !flags.given("-p") && !flags.given("-f");
    if (asks_for_a_story) {
        o.prompt = "Tell me a story.";
        o.chat.no_think = true;
        if (!flags.given("--temp")) o.generation.sampling.temperature = 0.8F;
        if (!flags.given("--min-p")) o.generation.sampling.min_p = 0.1F;
    }
    o.is_chat |= o.chat.system || o.chat.no_think;

    const std::atomic<bool>& interrupted = samples::catch_interrupts();
    const Status outcome = samples::on_device(o.device, [&]<class P>() { return generate<P>(o, interrupted); });
    constexpr int ended_by_interrupt = 130;
    return outcome.ok() && interrupted ? ended_by_interrupt : flags.exit_code(outcome);
}
