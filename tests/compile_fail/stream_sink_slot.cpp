// SPDX-License-Identifier: Apache-2.0
//! A sink that does not answer with a Flow is told by the slot's name.
// EXPECT: the sink does not model sluice::StreamSink
#include "sluice/sluice.hpp"

struct Broken {
    bool on_token(const sluice::TokenEvent& event);
};

void generate(sluice::Pipeline<sluice::Qwen3MoeCpu<>>& pipeline, sluice::StandardSampler& sampler, Broken& sink) {
    (void)pipeline.generate("Once", {}, sampler, sink);
}
