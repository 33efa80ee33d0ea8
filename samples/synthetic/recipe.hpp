// SPDX-License-Identifier: Apache-2.0
//! What a synthetic Qwen3-MoE file is made of: its sizes, its mix of number formats, its keys and tensors.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/format.hpp"
#include "sluice/io/gguf_writer.hpp"
#include "sluice/model/load.hpp"
#include "sluice/model/shape.hpp"

namespace sluice::synthetic {

//! Which formats a file has; norms and routers are F32 in all.
struct Mix {
    std::string_view name;
    std::uint32_t file_type;  //!< general.file_type
    quant::Format usual;
    quant::Format finer;   //!< attn_v and ffn_down_exps, in about half of the layers
    quant::Format output;  //!< the output matrix
};

inline constexpr auto mixes = [] {
    using enum quant::Format;
    return std::to_array<Mix>({{"f32", 0, F32, F32, F32},
                               {"f16", 1, F16, F16, F16},
                               {"bf16", 32, BF16, BF16, BF16},
                               {"q8_0", 7, Q8_0, Q8_0, Q8_0},
                               {"q6_k", 18, Q6_K, Q6_K, Q6_K},
                               {"q5_k_m", 17, Q5_K, Q6_K, Q6_K},
                               {"q5_0", 8, Q5_0, Q5_0, Q6_K},
                               {"q4_k_m", 15, Q4_K, Q6_K, Q6_K},
                               {"q4_0", 2, Q4_0, Q4_0, Q6_K}});
}();

struct Recipe {
    std::string_view name;
    shape::Dynamic shape;
    std::size_t context;
    std::size_t feed_forward;  //!< a key that files have and experts do not use
    double rope_theta = 1e6;
    Mix mix = *std::ranges::find(mixes, "q4_k_m", &Mix::name);
};

//! Ready-made recipes, the first one the default.
inline const std::array<Recipe, 2> presets = {{
    {"tiny", {4, 256, 4, 2, 64, 16, 4, 256, 512}, 2048, 1024},
    {"30b-a3b", {48, 2048, 32, 4, 128, 128, 8, 768, 151936}, 40960, 6144},
}};

//! One tensor to be, and the mean and standard deviation of its weights.
struct TensorPlan {
    std::string name;
    quant::Format format;
    std::vector<std::uint64_t> shape;  //!< fastest first
    float mean, deviation;
};

//! The tensors in file order. A matrix has the deviation that keeps the scale of what it multiplies; the embedding is
//! as large as what all layers add to it, so that tokens keep apart and choose different experts.
inline std::vector<TensorPlan> tensor_plans(const Recipe& recipe) {
    const shape::Dynamic& s = recipe.shape;
    const Mix& mix = recipe.mix;
    const std::size_t q_width = s.heads * s.head_dim, kv_width = s.kv_heads * s.head_dim;
    std::vector<TensorPlan> plans;
    const auto matrix = [&](std::string name, quant::Format format, std::vector<std::uint64_t> shape) {
        const float deviation = 1.0F / std::sqrt(static_cast<float>(shape[0]));
        plans.push_back({std::move(name), format, std::move(shape), 0.0F, deviation});
    };
    const auto norm = [&](std::string name, std::uint64_t size) {
        plans.push_back({std::move(name), quant::Format::F32, {size}, 1.0F, 0.0F});
    };

    const float all_updates =
        std::sqrt(2.0F * static_cast<float>(s.layers));  // attention's and the experts', about 1 each
    plans.push_back({"token_embd.weight", mix.usual, {s.hidden, s.vocab}, 0.0F, all_updates});
    for (std::size_t i = 0; i < s.layers; ++i) {
        const std::size_t eighth = s.layers / 8;
        const bool is_finer = i < eighth || i >= 7 * s.layers / 8 || (i - eighth) % 3 == 2;
        const quant::Format v_and_down = is_finer ? mix.finer : mix.usual;
        const std::string block = "blk." + std::to_string(i) + ".";
        norm(block + "attn_norm.weight", s.hidden);
        matrix(block + "attn_q.weight", mix.usual, {s.hidden, q_width});
        matrix(block + "attn_k.weight", mix.usual, {s.hidden, kv_width});
        matrix(block + "attn_v.weight", v_and_down, {s.hidden, kv_width});
        norm(block + "attn_q_norm.weight", s.head_dim);
        norm(block + "attn_k_norm.weight", s.head_dim);
        matrix(block + "attn_output.weight", mix.usual, {q_width, s.hidden});
        norm(block + "ffn_norm.weight", s.hidden);
        matrix(block + "ffn_gate_inp.weight", quant::Format::F32, {s.hidden, s.experts});
        matrix(block + "ffn_gate_exps.weight", mix.usual, {s.hidden, s.expert_ff, s.experts});
        matrix(block + "ffn_up_exps.weight", mix.usual, {s.hidden, s.expert_ff, s.experts});
        matrix(block + "ffn_down_exps.weight", v_and_down, {s.expert_ff, s.hidden, s.experts});
    }
    norm("output_norm.weight", s.hidden);
    matrix("output.weight", mix.output, {s.hidden, s.vocab});
    return plans;
}

//! Adds all keys but the tokenizer's.
inline void add_keys(gguf::Layout& layout, const Recipe& recipe) {
    const shape::Dynamic& s = recipe.shape;
    const auto set = [&](std::string_view key, std::size_t value) {
        layout.set(std::string(model::architecture) + "." + std::string(key), static_cast<std::uint32_t>(value));
    };
    const auto set_float = [&](std::string_view key, double value) {
        layout.set(std::string(model::architecture) + "." + std::string(key), static_cast<float>(value));
    };
    layout.set("general.architecture", model::architecture)
        .set("general.type", "model")
        .set("general.name", "Synthetic Qwen3-MoE " + std::string(recipe.name) + " (random weights)")
        .set("general.file_type", recipe.mix.file_type)
        .set("general.quantization_version", std::uint32_t{2});
    set("block_count", s.layers);
    set("context_length", recipe.context);
    set("embedding_length", s.hidden);
    set("feed_forward_length", recipe.feed_forward);
    set("attention.head_count", s.heads);
    set("attention.head_count_kv", s.kv_heads);
    set("attention.key_length", s.head_dim);
    set("attention.value_length", s.head_dim);
    set_float("attention.layer_norm_rms_epsilon", 1e-6);
    set_float("rope.freq_base", recipe.rope_theta);
    set("expert_count", s.experts);
    set("expert_used_count", s.experts_used);
    set("expert_feed_forward_length", s.expert_ff);
}

}  // namespace sluice::synthetic
