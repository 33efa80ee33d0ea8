// SPDX-License-Identifier: Apache-2.0
//! A whole user of Sluice, as README.md shows it: it compiles with nothing but sluice::sluice, and runs.
#include <iostream>

#include "sluice/sluice.hpp"

sluice::Status tell_story(const char* model_file) {
    SLUICE_ASSIGN(auto pipeline, sluice::Pipeline<sluice::Qwen3MoeCpu<>>::load(model_file));
    SLUICE_ASSIGN(auto sampler, sluice::make_standard_sampler({.temperature = 0.7F, .top_p = 0.8F}));
    sluice::OstreamSink sink(std::cout);  // shows each token as soon as it is sampled
    SLUICE_TRY(pipeline.generate("Once upon a time", {.max_tokens = 100, .seed = 42}, sampler, sink));
    return {};
}

int main(int argc, char** argv) {
    const sluice::Status status = tell_story(argc > 1 ? argv[1] : "model.gguf");
    if (!status.ok()) std::cerr << status.message() << '\n';
    return status.ok() ? 0 : 1;
}
