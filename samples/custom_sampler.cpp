// SPDX-License-Identifier: Apache-2.0
//! A pipeline with a sampler of your own: the likeliest token, but never the same three tokens in a row twice.
#include <cstddef>
#include <iostream>
#include <limits>
#include <span>
#include <string>

#include "common/command_line.hpp"
#include "common/options.hpp"
#include "sluice/sluice.hpp"

namespace {

using namespace sluice;

//! A stage of a sampler: bans every token that already followed the last two tokens, once, in the text so far.
struct NoRepeatedTriple {
    Status apply(Candidates& candidates, const SampleContext& context) const {
        const std::span<const Token> text = context.history;
        for (std::size_t i = 2; i < text.size(); ++i) {
            const bool follows_the_same = text[i - 2] == text[text.size() - 2] && text[i - 1] == text.back();
            if (follows_the_same) SLUICE_TRY(candidates.update(text[i], [](float) { return Candidates::masked; }));
        }
        return {};
    }
};

//! The ready-made policies, with another one in the slot of the sampler.
struct Policies : Qwen3MoeCpu<quant::Q4_K_M> {
    using Sampler = Chain<NoRepeatedTriple, Greedy>;
};

Status tell(const std::filesystem::path& model, const std::string& prompt) {
    SLUICE_ASSIGN(auto pipeline, Pipeline<Policies>::load(model));
    SLUICE_ASSIGN(Policies::Sampler sampler, Policies::Sampler::make(NoRepeatedTriple{}, Greedy{}));
    OstreamSink sink(std::cout);
    const GenerateOptions options{.max_tokens = 200, .ignore_stop_tokens = true};
    SLUICE_TRY(pipeline.generate(prompt, options, sampler, sink));
    std::cout << '\n';
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    std::filesystem::path model = samples::embedded_model();
    std::string prompt = "Once upon a time";
    samples::CommandLine flags("custom_sampler",
                               "Continues a text and never says the same three tokens in a row twice.");
    flags.add("-m,--model", model, "a Q4_K_M file; without it, the embedded story model");
    flags.add("-p,--prompt", prompt, "the text to continue");
    if (const auto code = flags.parse(argc, argv)) return *code;
    return flags.exit_code(tell(model, prompt));
}
