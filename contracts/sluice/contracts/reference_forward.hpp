// SPDX-License-Identifier: Apache-2.0
//! Qwen3-MoE from its definition, naively and in double precision: the oracle for model::Forward. It shares nothing
//! with the library but the GGUF reader, the decoding of weights and, on request, the quantization of activations.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/oracles.hpp"
#include "sluice/contracts/transformer_oracles.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/rope.hpp"
#include "sluice/quant/activation.hpp"
#include "sluice/quant/row.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::contracts {

//! Roundings that the model under test makes on purpose, to be made here too.
struct ReferenceRoundings {
    bool int8_activations = false;  //!< as the format of each matrix asks for
    bool half_cache = false;        //!< keys and values to half precision
};

class ReferenceForward {
    using Vector = std::vector<double>;

public:
    explicit ReferenceForward(const gguf::File& file, ReferenceRoundings roundings = {}) : roundings_(roundings) {
        const auto size = [&](const char* name) {
            return std::size_t{value_or_throw(file.get<std::uint32_t>(std::string("qwen3moe.") + name))};
        };
        const auto number = [&](const char* name) {
            return static_cast<double>(value_or_throw(file.get<float>(std::string("qwen3moe.") + name)));
        };
        layers_ = size("block_count");
        heads_ = size("attention.head_count");
        kv_heads_ = size("attention.head_count_kv");
        dim_ = size("attention.key_length");
        experts_ = size("expert_count");
        used_ = size("expert_used_count");
        eps_ = number("attention.layer_norm_rms_epsilon");
        rope_ = oracle::rope(dim_, number("rope.freq_base"), scaling(file));
        for (const gguf::Tensor& tensor : file.tensors()) weights_.emplace(tensor.name, decode(tensor));
    }

    //! Logits [tokens, vocab] of one sequence from position 0.
    Vector operator()(std::span<const Token> tokens) {
        std::vector<Vector> x;
        const Weight& embedding = weight("token_embd.weight");
        for (const Token token : tokens) {
            const auto row = embedding.values.begin() + token * static_cast<std::ptrdiff_t>(embedding.cols);
            x.emplace_back(row, row + static_cast<std::ptrdiff_t>(embedding.cols));
        }
        for (std::size_t i = 0; i < layers_; ++i) layer("blk." + std::to_string(i) + ".", x);
        Vector logits;
        const bool tied = !weights_.contains("output.weight");
        for (const Vector& row : x) {
            const Vector y = multiply(weight(tied ? "token_embd.weight" : "output.weight"),
                                      normalize(row, weight("output_norm.weight")));
            logits.insert(logits.end(), y.begin(), y.end());
        }
        return logits;
    }

    //! The least distance so far, in probability, of an expert that was chosen and one that was not: where it is as
    //! small as rounding errors, another computation may choose the other.
    double closest_choice() const { return closest_choice_; }

private:
    struct Weight {
        std::size_t cols;
        quant::Format format;
        Vector values;
    };

    static model::RopeScaling scaling(const gguf::File& file) {
        const std::string keys = "qwen3moe.rope.scaling.";
        const auto number = [&](const char* name, double otherwise) {
            const auto value = file.get<float>(keys + name);
            return value.ok() ? static_cast<double>(*value) : otherwise;
        };
        const auto kind = file.get<std::string>(keys + "type");
        if (!kind.ok() || *kind == "none") return {};
        const auto original = file.get<std::uint32_t>(keys + "original_context_length");
        return {.kind = *kind == "yarn" ? model::RopeScaling::Kind::yarn : model::RopeScaling::Kind::linear,
                .factor = number("factor", 1.0),
                .original_context = original.ok() ? static_cast<double>(*original) : 0.0,
                .attention_factor = number("yarn_attn_factor", 1.0),
                .beta_fast = number("yarn_beta_fast", 32.0),
                .beta_slow = number("yarn_beta_slow", 1.0)};
    }

    static Weight decode(const gguf::Tensor& tensor) {
        std::vector<float> values(tensor.elements());
        quant::Any::visit(tensor.format,
                          [&]<class F>() { quant::decode_row<F>(tensor.bytes.data(), values.size(), values.data()); });
        return {tensor.shape[0], tensor.format, {values.begin(), values.end()}};
    }

    const Weight& weight(const std::string& name) const { return weights_.at(name); }

    void layer(const std::string& block, std::vector<Vector>& x) {
        std::vector<Vector> keys, values;
        for (std::size_t position = 0; position < x.size(); ++position) {
            const Vector normed = normalize(x[position], weight(block + "attn_norm.weight"));
            Vector q = multiply(weight(block + "attn_q.weight"), normed);
            Vector k = multiply(weight(block + "attn_k.weight"), normed);
            Vector v = multiply(weight(block + "attn_v.weight"), normed);
            for (std::size_t h = 0; h < heads_; ++h) turn(q, h, position, weight(block + "attn_q_norm.weight"));
            for (std::size_t h = 0; h < kv_heads_; ++h) turn(k, h, position, weight(block + "attn_k_norm.weight"));
            if (roundings_.half_cache) {
                for (Vector* stored : {&k, &v}) {
                    for (double& number : *stored) number = to_float(to_half(static_cast<float>(number)));
                }
            }
            keys.push_back(std::move(k));
            values.push_back(std::move(v));
            add(x[position], multiply(weight(block + "attn_output.weight"), attend(q, keys, values)));
        }
        for (Vector& row : x) add(row, experts(block, normalize(row, weight(block + "ffn_norm.weight"))));
    }

    Vector experts(const std::string& block, const Vector& x) {
        const Vector scores = oracle::softmax(multiply(weight(block + "ffn_gate_inp.weight"), x));
        std::vector<std::size_t> order = oracle::largest(scores, std::min(used_ + 1, experts_));
        if (used_ < experts_) {
            closest_choice_ = std::min(closest_choice_, scores[order[used_ - 1]] - scores[order[used_]]);
            order.pop_back();
        }
        double total = 0.0;
        for (const std::size_t e : order) total += scores[e];
        Vector sum(x.size(), 0.0);
        for (const std::size_t e : order) {
            Vector gate = multiply(weight(block + "ffn_gate_exps.weight"), x, e);
            const Vector up = multiply(weight(block + "ffn_up_exps.weight"), x, e);
            for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = oracle::silu(gate[i]) * up[i];
            const Vector y = multiply(weight(block + "ffn_down_exps.weight"), gate, e);
            for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += scores[e] / total * y[i];
        }
        return sum;
    }

    //! The last position's heads over all positions so far.
    Vector attend(const Vector& q, const std::vector<Vector>& keys, const std::vector<Vector>& values) const {
        Vector mixed;
        for (std::size_t h = 0; h < heads_; ++h) {
            const auto of_head = [&, from = h / (heads_ / kv_heads_)](const std::vector<Vector>& rows) {
                std::vector<Vector> parts;
                for (const Vector& row : rows) parts.push_back(head(row, from));
                return parts;
            };
            const Vector y = oracle::attend(head(q, h), of_head(keys), of_head(values));
            mixed.insert(mixed.end(), y.begin(), y.end());
        }
        return mixed;
    }

    Vector head(const Vector& x, std::size_t h) const {
        const auto begin = x.begin() + static_cast<std::ptrdiff_t>(h * dim_);
        return {begin, begin + static_cast<std::ptrdiff_t>(dim_)};
    }

    //! Normalizes head h of x and rotates it.
    void turn(Vector& x, std::size_t h, std::size_t position, const Weight& norm) const {
        const Vector turned = oracle::rotate(rope_, static_cast<double>(position), normalize(head(x, h), norm));
        std::copy(turned.begin(), turned.end(), x.begin() + static_cast<std::ptrdiff_t>(h * dim_));
    }

    Vector normalize(const Vector& x, const Weight& norm) const { return oracle::rms_norm(x, norm.values, eps_); }

    //! w x, or the matrix of one expert times x: one of `experts_` equal parts of w.
    Vector multiply(const Weight& w, const Vector& x) const { return multiply(w, x, 0, w.values.size() / w.cols); }
    Vector multiply(const Weight& w, const Vector& x, std::size_t expert) const {
        const std::size_t rows = w.values.size() / w.cols / experts_;
        return multiply(w, x, expert * rows, rows);
    }
    Vector multiply(const Weight& w, const Vector& x, std::size_t first, std::size_t rows) const {
        const Vector read = roundings_.int8_activations ? rounded(w.format, x) : x;
        Vector y(rows, 0.0);
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t i = 0; i < w.cols; ++i) y[r] += w.values[(first + r) * w.cols + i] * read[i];
        }
        return y;
    }

    //! x as a matrix of this format reads it.
    static Vector rounded(quant::Format format, const Vector& x) {
        const std::vector<float> floats(x.begin(), x.end());
        Vector result = x;
        quant::Any::visit(format, [&]<class F>() {
            if constexpr (!std::same_as<typename F::Activation, quant::F32View>) {
                constexpr std::size_t block = F::Activation::block_size;
                Buffer<std::byte> storage(F::Activation::row_bytes(x.size()));
                const auto view = quant::quantize_reference<block>(floats, storage.data());
                for (std::size_t i = 0; i < x.size(); ++i) {
                    result[i] = static_cast<double>(view.d[i / block]) * view.q[i];
                }
            }
        });
        return result;
    }

    static void add(Vector& x, const Vector& y) {
        for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
    }

    ReferenceRoundings roundings_;
    std::size_t layers_ = 0, heads_ = 0, kv_heads_ = 0, dim_ = 0, experts_ = 0, used_ = 0;
    double eps_ = 0.0;
    oracle::Rope rope_;
    double closest_choice_ = std::numeric_limits<double>::infinity();
    std::map<std::string, Weight, std::less<>> weights_;
};

}  // namespace sluice::contracts
