// SPDX-License-Identifier: Apache-2.0
//! Evidence for speculation-lossless-v1 V1_006: evidence_speculation [MODEL [THREADS]] generates texts with prompt
//! lookup and without, in turns, and compares tokens and times.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "conclusions.hpp"
#include "sluice/sluice.hpp"
#include "write_evidence.hpp"

namespace {

using namespace sluice;

constexpr std::size_t rounds = 15, tokens_a_text = 400;

//! The standard sampler; where there is a script, its token is taken instead of the sampled one.
class ScriptedSampler {
public:
    ScriptedSampler(StandardSampler sampler, std::span<const Token> script)
        : sampler_(std::move(sampler)), script_(script) {}
    Expected<Token> sample(std::span<float> logits, const SampleContext& context) {
        SLUICE_ASSIGN(const Token token, sampler_.sample(logits, context));
        return context.position < script_.size() ? script_[context.position] : token;
    }

private:
    StandardSampler sampler_;
    std::span<const Token> script_;
};

struct Policies : Qwen3MoeCpu<> {
    using Sampler = ScriptedSampler;
    using Drafter = draft::PromptLookup;
};

struct Text {
    std::vector<Token> prompt;
    SamplingParams params{};
    std::vector<Token> script{};  //!< prompt and answer; empty: the model's own
};

//! In the order of evidence::speculation_texts: three that repeat themselves, and three that do not.
Expected<std::vector<Text>> texts(const Pipeline<Policies>& pipeline) {
    SLUICE_ASSIGN(const auto opening, pipeline.text_prompt("Once upon a time, there was a"));
    SLUICE_ASSIGN(const auto sentences, pipeline.text_prompt("The cat sat. The cat sat. The cat sat. The cat sat."));
    const auto vocabulary = static_cast<std::uint32_t>(pipeline.tokenizer().vocab_size());
    const auto noise = [&](std::size_t size) {
        std::vector<Token> tokens(size);
        for (std::size_t i = 0; i < size; ++i)
            tokens[i] = static_cast<Token>(philox(1, {{static_cast<std::uint32_t>(i), 0, 0, 0}}).words[0] % vocabulary);
        return tokens;
    };
    const std::vector<Token> prompt = noise(tokens_a_text);
    std::vector<Token> copy = prompt, edited = prompt;
    for (std::size_t i = 0; i < tokens_a_text; ++i) {
        copy.push_back(prompt[i]);
        edited.push_back(i % 60 == 59 ? 7 : prompt[i]);
    }
    return std::vector<Text>{
        {sentences},
        {prompt, {}, copy},
        {prompt, {}, edited},
        {opening, {.temperature = 0.8F}},
        {opening, {.repetition_penalty = 1.2F}},
        {opening, {}, noise(opening.size() + tokens_a_text)},
    };
}

struct Measured {
    std::vector<Token> tokens;
    GenerationResult result;
};

Expected<Measured> generate(Pipeline<Policies>& pipeline, const Text& text, std::size_t max_draft) {
    SLUICE_ASSIGN(StandardSampler standard, make_standard_sampler(text.params));
    ScriptedSampler sampler(std::move(standard), text.script);
    Measured measured;
    CallbackSink sink([&](const TokenEvent& event) { measured.tokens.push_back(event.id); });
    const GenerateOptions options{
        .max_tokens = tokens_a_text, .seed = 1, .ignore_stop_tokens = true, .max_draft = max_draft};
    SLUICE_ASSIGN(measured.result, pipeline.generate(std::span(text.prompt), options, sampler, sink));
    return measured;
}

Status measure(const std::filesystem::path& model, std::size_t threads) {
    SLUICE_ASSIGN(auto pipeline, Pipeline<Policies>::load(model, {.context = 1024, .threads = threads}));
    SLUICE_ASSIGN(const std::vector<Text> all, texts(pipeline));
    nlohmann::json samples;
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::vector<double> plain_ms, lookup_ms;
        std::vector<bool> same_tokens;
        Measured plain, lookup;
        for (std::size_t round = 0; round < rounds; ++round) {
            SLUICE_ASSIGN(plain, generate(pipeline, all[i], 0));
            SLUICE_ASSIGN(lookup, generate(pipeline, all[i], draft::PromptLookup::max_tokens));
            same_tokens.push_back(lookup.tokens == plain.tokens);
            plain_ms.push_back(plain.result.timings.predicted_ms);
            lookup_ms.push_back(lookup.result.timings.predicted_ms);
        }
        samples[evidence::speculation_texts.at(i).first] = {{"tokens", lookup.tokens.size()},
                                                            {"drafted", lookup.result.drafts.drafted},
                                                            {"accepted", lookup.result.drafts.accepted},
                                                            {"same_tokens", same_tokens},
                                                            {"ms_without", plain_ms},
                                                            {"ms_with", lookup_ms}};
    }
    const auto [holds, figures] = evidence::conclude("speculation", samples);
    return evidence::write(
        {.contract = "speculation-lossless-v1",
         .version = 1,
         .falsifier = "V1_006",
         .text = "With prompt lookup the same tokens come at least 1.3 times as fast where a text says the same "
                 "again, 1.1 times where a token in 60 is another, and 0.97 times where it does not "
                 "repeat itself: medians of 15 turns each.",
         .holds = holds,
         .figures = figures},
        {.program = "evidence_speculation", .model = model, .threads = threads});
}

}  // namespace

int main(int argc, char** argv) {
    return evidence::run_program("evidence_speculation", measure, argc, argv,
                                 SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf");
}
