// SPDX-License-Identifier: Apache-2.0
//! A user of Sluice on a GPU: its kernels are compiled by nvcc in another file.
#include <iostream>

#include "sluice/cuda/gpu.hpp"
#include "sluice/sluice.hpp"

using Policies = sluice::Qwen3MoeCuda<sluice::quant::Q4_K_M>;
extern template class sluice::cuda::Forward<Policies>;

sluice::Status tell_story(const char* model_file) {
    SLUICE_ASSIGN(auto pipeline, sluice::Pipeline<Policies>::load(model_file));
    SLUICE_ASSIGN(auto sampler, sluice::make_sampler<Policies::Sampler>({.temperature = 0.7F, .top_p = 0.8F}));
    sluice::OstreamSink sink(std::cout);
    SLUICE_TRY(pipeline.generate("Once upon a time", {.max_tokens = 100, .seed = 42}, sampler, sink));
    return {};
}

int main(int argc, char** argv) {
    const sluice::Status status = tell_story(argc > 1 ? argv[1] : "model.gguf");
    if (!status.ok()) std::cerr << status.message() << '\n';
    return status.ok() ? 0 : 1;
}
