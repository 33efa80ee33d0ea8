// SPDX-License-Identifier: Apache-2.0
//! A pipeline with a sampler of your own: the likeliest token, but never the same three tokens in a row twice.
#include <filesystem>
#include <iostream>
#include <string>

#include "common/command_line.hpp"
#include "common/device.hpp"
#include "common/options.hpp"
#include "custom_sampler/policies.hpp"
#include "sluice/sluice.hpp"

namespace {

using namespace sluice;

template <class P>
Status tell(const std::filesystem::path& model, const std::string& prompt) {
    SLUICE_ASSIGN(auto pipeline, Pipeline<P>::load(model));
    SLUICE_ASSIGN(auto sampler, P::Sampler::make(NoRepeatedTriple{}, Greedy{}));
    OstreamSink sink(std::cout);
    const GenerateOptions options{.max_tokens = 200, .ignore_stop_tokens = true};
    SLUICE_TRY(pipeline.generate(prompt, options, sampler, sink));
    std::cout << '\n';
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    std::filesystem::path model = samples::embedded_model();
    std::string prompt = "Once upon a time", device = "cpu";
    samples::CommandLine flags("custom_sampler",
                               "Continues a text and never says the same three tokens in a row twice.");
    flags.add("-m,--model", model, "a GGUF file; without it, the embedded story model");
    flags.add("-p,--prompt", prompt, "the text to continue");
    samples::add_device(flags, device);
    if (const auto code = flags.parse(argc, argv)) return *code;
    return flags.exit_code(
        samples::on_device(device, [&]<class P>() { return tell<WithoutRepetition<P>>(model, prompt); }));
}
