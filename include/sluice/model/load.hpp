// SPDX-License-Identifier: Apache-2.0
//! From a GGUF file to a Qwen3-MoE model: every key and tensor that the model reads is checked, no tensor may be left
//! over, and keys of known extensions that would change the computation are refused.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/quote.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/qwen3_moe.hpp"

namespace sluice::model {

//! The one value of general.architecture that is served. Siblings (qwen3, qwen2moe, qwen3next, qwen35moe, ...) differ
//! in ways that no size tells, so the name decides.
inline constexpr std::string_view architecture = "qwen3moe";

namespace detail {

inline constexpr std::string_view use_another = "use a Qwen3-MoE file made by a current converter";

//! Reads the keys "qwen3moe.NAME".
class KeyReader {
public:
    explicit KeyReader(const gguf::File& file) : file_(file) {}

    static std::string key(std::string_view name) { return std::string(architecture) + "." + std::string(name); }
    bool has(std::string_view name) const { return file_.find(key(name)) != nullptr; }

    Status wrong(std::string_view name, std::string what) const {
        return Status(Errc::unsupported, file_.name() + ": key '" + key(name) + "'", std::move(what),
                      std::string(use_another));
    }

    //! A size of at least 1 and at most `most`.
    Status read(std::string_view name, std::size_t& size, std::uint32_t most) const {
        SLUICE_ASSIGN(const std::uint32_t value, file_.get<std::uint32_t>(key(name)));
        if (value < 1 || value > most) {
            return wrong(name, "is " + std::to_string(value) + ", but 1 to " + std::to_string(most) + " is possible");
        }
        size = value;
        return {};
    }

    //! A positive, finite number; `fallback` where the key is missing, unless that is 0.
    Expected<float> positive(std::string_view name, float fallback = 0.0F) const {
        if (fallback != 0.0F && !has(name)) return fallback;
        SLUICE_ASSIGN(const float value, file_.get<float>(key(name)));
        if (!std::isfinite(value) || value <= 0.0F) {
            return wrong(name, "is " + to_text(value) + ", but a positive number is needed");
        }
        return value;
    }

    Expected<std::string_view> text_or(std::string_view name, std::string_view fallback) const {
        return file_.get_or<std::string_view>(key(name), fallback);
    }

private:
    const gguf::File& file_;
};

//! Extensions that sibling architectures state by keys. Each must be absent or have the value that changes nothing.
inline Status refuse_extensions(const gguf::File& file, const KeyReader& keys) {
    struct Neutral {
        std::string_view name;
        double value;
    };
    static constexpr Neutral extensions[] = {
        {"attention.sliding_window", 0},
        {"attention.scale", 0},
        {"attention.causal", 1},
        {"attention.clamp_kqv", 0},
        {"attention.max_alibi_bias", 0},
        {"attn_logit_softcapping", 0},
        {"final_logit_softcapping", 0},
        {"logit_scale", 0},
        {"embedding_scale", 0},
        {"residual_scale", 0},
        {"expert_shared_count", 0},
        {"expert_shared_feed_forward_length", 0},
        {"leading_dense_block_count", 0},
        {"expert_group_count", 0},
        {"expert_weights_scale", 1},
        {"expert_weights_norm", 1},
        {"expert_gating_func", 1},
        {"interleave_moe_layer_step", 1},
        {"pooling_type", 0},
        {"rope.scale_linear", 1},
    };
    for (const Neutral& extension : extensions) {
        if (!keys.has(extension.name)) continue;
        const std::string key = KeyReader::key(extension.name);
        double found = 0;
        if (const auto flag = file.get<bool>(key); flag.ok()) {
            found = *flag ? 1 : 0;
        } else if (const auto whole = file.get<std::uint64_t>(key); whole.ok()) {
            found = static_cast<double>(*whole);
        } else {
            SLUICE_ASSIGN(found, file.get<double>(key));
        }
        if (found != extension.value) {
            return keys.wrong(extension.name,
                              "is " + to_text(found) + "; only " + to_text(extension.value) + " is supported");
        }
    }
    return {};
}

inline Expected<RopeScaling> read_rope_scaling(const KeyReader& keys) {
    RopeScaling scaling;
    for (const std::string_view name : {"rope.scaling.attn_factor", "rope.scaling.yarn_ext_factor"}) {
        SLUICE_ASSIGN(const float value, keys.positive(name, 1.0F));
        if (value != 1.0F) return keys.wrong(name, "is " + to_text(value) + "; only 1 is supported");
    }
    SLUICE_ASSIGN(const std::string_view kind, keys.text_or("rope.scaling.type", "none"));
    if (kind == "none") return scaling;
    if (kind != "linear" && kind != "yarn") {
        return keys.wrong("rope.scaling.type", "is " + quote(kind) + "; none, linear and yarn are supported");
    }
    scaling.kind = kind == "yarn" ? RopeScaling::Kind::yarn : RopeScaling::Kind::linear;
    SLUICE_ASSIGN(scaling.factor, keys.positive("rope.scaling.factor"));
    if (scaling.factor < 1.0)
        return keys.wrong("rope.scaling.factor", "is " + to_text(scaling.factor) + ", which is below 1");
    if (scaling.kind == RopeScaling::Kind::linear) return scaling;
    std::size_t original = 0;
    SLUICE_TRY(keys.read("rope.scaling.original_context_length", original, 1U << 30U));
    scaling.original_context = static_cast<double>(original);
    SLUICE_ASSIGN(scaling.attention_factor, keys.positive("rope.scaling.yarn_attn_factor", 1.0F));
    SLUICE_ASSIGN(scaling.beta_fast, keys.positive("rope.scaling.yarn_beta_fast", 32.0F));
    SLUICE_ASSIGN(scaling.beta_slow, keys.positive("rope.scaling.yarn_beta_slow", 1.0F));
    return scaling;
}

//! Hands out tensors by name, with the shape and format they must have, and remembers which ones were asked for.
template <Quantization Q>
class TensorReader {
public:
    explicit TensorReader(const gguf::File& file) : file_(file) {}

    bool has(std::string_view name) const { return file_.tensor(name) != nullptr; }

    //! A vector of floats.
    Status read(std::string name, std::span<const float>& to, std::size_t size) {
        SLUICE_ASSIGN(const gguf::Tensor* tensor, take(name, {size}));
        if (tensor->format != quant::Format::F32) {
            return wrong(name, "has format " + std::string(quant::format_name(tensor->format)) + "; F32 is needed");
        }
        to = {reinterpret_cast<const float*>(tensor->bytes.data()), size};
        return {};
    }

    //! `stack` matrices of [rows, cols], one behind the other; 0 for one matrix without the third dimension.
    Status read(std::string name, Matrix& to, std::size_t cols, std::size_t rows, std::size_t stack = 0) {
        auto taken = stack == 0 ? take(name, {cols, rows}) : take(name, {cols, rows, stack});
        if (!taken.ok()) return taken.status();
        const gguf::Tensor& tensor = **taken;
        if (!Q::contains(tensor.format)) {
            return wrong(name,
                         "has format " + std::string(quant::format_name(tensor.format)) +
                             ", but this pipeline computes with " + Q::names(),
                         "use a pipeline whose Quantization has it, or convert the file to one of these");
        }
        const std::size_t all_rows = rows * (stack == 0 ? 1 : stack);
        to = {tensor.bytes.data(), tensor.format, all_rows, cols, tensor.bytes.size() / all_rows};
        return {};
    }

    //! An error that names a tensor nobody asked for, if there is one.
    Status nothing_left() const {
        for (const gguf::Tensor& tensor : file_.tensors()) {
            if (!taken_.contains(tensor.name)) {
                return wrong(tensor.name, "is not part of a Qwen3-MoE model",
                             "use a file without it: it would have to be ignored");
            }
        }
        return {};
    }

private:
    Status wrong(std::string_view name, std::string what, std::string mend = std::string(use_another)) const {
        return Status(Errc::unsupported, file_.name() + ": tensor " + quote(name), std::move(what), std::move(mend));
    }

    Expected<const gguf::Tensor*> take(std::string_view name, std::initializer_list<std::uint64_t> shape) {
        const gguf::Tensor* tensor = file_.tensor(name);
        if (tensor == nullptr) {
            return Status(Errc::not_found, file_.name() + ": tensor " + quote(name), "is missing",
                          "use a whole Qwen3-MoE file: this one is incomplete or a dense model");
        }
        if (!std::equal(shape.begin(), shape.end(), tensor->extents().begin(), tensor->extents().end())) {
            return wrong(name, "has shape " + gguf::shape_text(tensor->extents()) + ", but the file's keys say " +
                                   gguf::shape_text({shape.begin(), shape.size()}));
        }
        taken_.insert(tensor->name);
        return tensor;
    }

    const gguf::File& file_;
    std::set<std::string_view> taken_;
};

}  // namespace detail

//! The hyper-parameters in the file's keys; any other architecture than qwen3moe is refused by its name.
inline Expected<Hyperparameters> read_hyperparameters(const gguf::File& file) {
    SLUICE_ASSIGN(const std::string_view found, file.get<std::string_view>("general.architecture"));
    if (found != architecture) {
        return Status(Errc::unsupported, file.name() + ": key 'general.architecture'",
                      "is " + quote(found) + "; only 'qwen3moe' is supported",
                      "use a Qwen3-MoE file, such as Qwen3-30B-A3B or Qwen3-Coder-30B-A3B");
    }
    const detail::KeyReader keys(file);
    Hyperparameters h;
    shape::Dynamic& s = h.shape;
    SLUICE_TRY(keys.read("block_count", s.layers, 1024));
    SLUICE_TRY(keys.read("embedding_length", s.hidden, 1U << 20U));
    SLUICE_TRY(keys.read("attention.head_count", s.heads, 4096));
    SLUICE_TRY(keys.read("attention.head_count_kv", s.kv_heads, 4096));
    if (s.heads % s.kv_heads != 0) {
        return keys.wrong(
            "attention.head_count",
            "is " + std::to_string(s.heads) + ", not a multiple of head_count_kv " + std::to_string(s.kv_heads));
    }
    SLUICE_TRY(keys.read("attention.key_length", s.head_dim, 1024));
    if (s.head_dim % 16 != 0) {
        return keys.wrong("attention.key_length",
                          "is " + std::to_string(s.head_dim) + "; a multiple of 16 is supported");
    }
    std::size_t value_length = 0, rope_dims = s.head_dim;
    SLUICE_TRY(keys.read("attention.value_length", value_length, 1024));
    if (value_length != s.head_dim) {
        return keys.wrong("attention.value_length", "is " + std::to_string(value_length) + ", but key_length is " +
                                                        std::to_string(s.head_dim) + "; only equal ones are supported");
    }
    if (keys.has("rope.dimension_count")) SLUICE_TRY(keys.read("rope.dimension_count", rope_dims, 1024));
    if (rope_dims != s.head_dim) {
        return keys.wrong("rope.dimension_count",
                          "is " + std::to_string(rope_dims) + "; rotating only a part of a head is not supported");
    }
    SLUICE_TRY(keys.read("expert_count", s.experts, 1U << 16U));
    SLUICE_TRY(keys.read("expert_used_count", s.experts_used, 1U << 16U));
    if (s.experts_used > s.experts) {
        return keys.wrong("expert_used_count", "is " + std::to_string(s.experts_used) + ", more than expert_count " +
                                                   std::to_string(s.experts));
    }
    SLUICE_TRY(keys.read("expert_feed_forward_length", s.expert_ff, 1U << 20U));
    SLUICE_TRY(keys.read("context_length", h.context, 1U << 30U));
    SLUICE_ASSIGN(h.rms_eps, keys.positive("attention.layer_norm_rms_epsilon"));
    SLUICE_ASSIGN(h.rope_theta, keys.positive("rope.freq_base"));
    if (h.rope_theta <= 1.0)
        return keys.wrong("rope.freq_base", "is " + to_text(h.rope_theta) + ", which is not above 1");
    SLUICE_ASSIGN(h.rope_scaling, detail::read_rope_scaling(keys));
    SLUICE_TRY(detail::refuse_extensions(file, keys));

    const gguf::Tensor* embedding = file.tensor("token_embd.weight");
    if (embedding == nullptr) {
        return Status(Errc::not_found, file.name() + ": tensor 'token_embd.weight'", "is missing",
                      "use a file with weights: this one has a vocabulary at most");
    }
    s.vocab = embedding->shape[1];
    return h;
}

//! Views of all weights, checked against the hyper-parameters and the formats of Q. They live as long as the file.
template <Quantization Q>
Expected<Weights> read_weights(const gguf::File& file, const shape::Dynamic& s) {
    detail::TensorReader<Q> tensors(file);
    Weights w;
    SLUICE_TRY(tensors.read("token_embd.weight", w.embedding, s.hidden, s.vocab));
    for (std::size_t i = 0; i < s.layers; ++i) {
        const std::string block = "blk." + std::to_string(i) + ".";
        const std::size_t q_width = s.heads * s.head_dim, kv_width = s.kv_heads * s.head_dim;
        LayerWeights& l = w.layers.emplace_back();
        SLUICE_TRY(tensors.read(block + "attn_norm.weight", l.attention_norm, s.hidden));
        SLUICE_TRY(tensors.read(block + "attn_q.weight", l.q, s.hidden, q_width));
        SLUICE_TRY(tensors.read(block + "attn_k.weight", l.k, s.hidden, kv_width));
        SLUICE_TRY(tensors.read(block + "attn_v.weight", l.v, s.hidden, kv_width));
        SLUICE_TRY(tensors.read(block + "attn_q_norm.weight", l.q_norm, s.head_dim));
        SLUICE_TRY(tensors.read(block + "attn_k_norm.weight", l.k_norm, s.head_dim));
        SLUICE_TRY(tensors.read(block + "attn_output.weight", l.o, q_width, s.hidden));
        SLUICE_TRY(tensors.read(block + "ffn_norm.weight", l.ff_norm, s.hidden));
        SLUICE_TRY(tensors.read(block + "ffn_gate_inp.weight", l.router, s.hidden, s.experts));
        SLUICE_TRY(tensors.read(block + "ffn_gate_exps.weight", l.experts.gate, s.hidden, s.expert_ff, s.experts));
        SLUICE_TRY(tensors.read(block + "ffn_up_exps.weight", l.experts.up, s.hidden, s.expert_ff, s.experts));
        SLUICE_TRY(tensors.read(block + "ffn_down_exps.weight", l.experts.down, s.expert_ff, s.hidden, s.experts));
    }
    SLUICE_TRY(tensors.read("output_norm.weight", w.output_norm, s.hidden));
    w.output = w.embedding;
    if (tensors.has("output.weight")) SLUICE_TRY(tensors.read("output.weight", w.output, s.hidden, s.vocab));
    SLUICE_TRY(tensors.nothing_left());
    return w;
}

}  // namespace sluice::model
