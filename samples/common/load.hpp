// SPDX-License-Identifier: Apache-2.0
//! Loads the model that the flags ask for.
#pragma once

#include <cstddef>
#include <string>

#include "compiled_once.hpp"
#include "options.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/draft/prompt_lookup.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "terminal.hpp"

namespace samples {

//! What the programs compute with, unless they say otherwise.
struct Policies : sluice::Qwen3MoeCpu<> {
    using Drafter = sluice::draft::PromptLookup;  // for those who ask for it: GenerationOptions::draft
    template <class Unit>
    using CacheOf = sluice::cpu::ContiguousKvCache<Unit>;
};

//! The same with another cache, as it stores: float, Half or a block of Q8_0.
template <class P, class Unit>
struct WithCache : P {
    using KvCache = typename P::template CacheOf<Unit>;
};

//! The options, with `line` telling how far it is.
inline sluice::LoadOptions shown_on(Progress& line, const ModelOptions& options) {
    const std::string text = "Loading " + options.path.string();
    line.show(text);
    sluice::LoadOptions load = options.load;
    load.progress = [&line, text](std::size_t done, std::size_t all) {
        line.show(text + ": " + sluice::to_text(100 * done / all) + " %");
    };
    return load;
}

template <class P = Policies>
sluice::Expected<sluice::Pipeline<P>> load(const ModelOptions& options) {
    Progress line("");
    return sluice::Pipeline<P>::load(options.path, shown_on(line, options));
}

}  // namespace samples

extern template struct sluice::LoadedModel<samples::Policies>;  // in load.cpp
