// SPDX-License-Identifier: Apache-2.0
//! Loads the model that the flags ask for.
#pragma once

#include <cstddef>
#include <string>

#include "command_line.hpp"
#include "compiled_once.hpp"
#include "options.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/draft/prompt_lookup.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/quant/q8_0.hpp"
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

//! f<P>() with the cache that `kv` names: f16 (P's own), f32 or q8_0. A bundle is a compile-time choice: each is
//! another.
template <class P, class F>
sluice::Status with_cache(const std::string& kv, F f) {
    if (kv == "f32") return f.template operator()<WithCache<P, float>>();
    if (kv == "q8_0") return f.template operator()<WithCache<P, sluice::quant::Q8_0::Block>>();
    return f.template operator()<P>();
}
inline void add_cache(CommandLine& flags, std::string& kv) {
    flags.add("--kv", kv, {"f16", "f32", "q8_0"}, "how keys and values are cached [f16]");
}

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
