// SPDX-License-Identifier: Apache-2.0
//! Loads the model that the flags ask for.
#pragma once

#include "options.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "terminal.hpp"

namespace samples {

//! A bundle of policies is a compile-time choice: --kv f32 is another pipeline.
struct F32Cache : sluice::Qwen3MoeCpu<> {
    using KvCache = sluice::cpu::KvCacheF32;
};

template <class Policies>
sluice::Expected<sluice::Pipeline<Policies>> load(const ModelOptions& options) {
    const Progress progress("Loading " + options.path.string());
    return sluice::Pipeline<Policies>::load(options.path, options.load);
}

//! use(pipeline) for the pipeline of these options, or the error of loading it. `use` returns a Status.
template <class Use>
sluice::Status with_pipeline(const ModelOptions& options, Use use) {
    const auto load_and_use = [&]<class Policies>() -> sluice::Status {
        SLUICE_ASSIGN(auto pipeline, load<Policies>(options));
        return use(pipeline);
    };
    if (options.kv == "f32") return load_and_use.template operator()<F32Cache>();
    return load_and_use.template operator()<sluice::Qwen3MoeCpu<>>();
}

}  // namespace samples
