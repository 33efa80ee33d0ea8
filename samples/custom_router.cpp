// SPDX-License-Identifier: Apache-2.0
//! A pipeline with a router of your own, which tests/laws/custom_router_test.cpp puts to the laws of routers. It has no
//! --device cuda: the kernels of a GPU route as Qwen3-MoE does, and a bundle with another router is refused there.
#include <filesystem>
#include <iostream>
#include <string>

#include "common/command_line.hpp"
#include "common/options.hpp"
#include "custom_router/router.hpp"
#include "sluice/sluice.hpp"

namespace {

using namespace sluice;

//! The ready-made policies, with another one in the slot of the router.
struct Policies : Qwen3MoeCpu<quant::Q4_K_M> {
    using Router = BestOfEachGroup;
};

Status tell(const std::filesystem::path& model, const std::string& prompt) {
    SLUICE_ASSIGN(auto pipeline, Pipeline<Policies>::load(model));
    SLUICE_ASSIGN(auto sampler, make_standard_sampler({.repetition_penalty = 1.2F}));
    OstreamSink sink(std::cout);
    SLUICE_TRY(pipeline.generate(prompt, {.max_tokens = 100}, sampler, sink));
    std::cout << '\n';
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    std::filesystem::path model = samples::embedded_model();
    std::string prompt = "Once upon a time";
    samples::CommandLine flags("custom_router",
                               "Continues a text with the best expert of each of k groups. On the CPU alone: the\n"
                               "kernels of a GPU have Qwen3-MoE's own router.");
    flags.add("-m,--model", model, "a Q4_K_M file; without it, the embedded story model");
    flags.add("-p,--prompt", prompt, "the text to continue");
    if (const auto code = flags.parse(argc, argv)) return *code;
    return flags.exit_code(tell(model, prompt));
}
