// SPDX-License-Identifier: Apache-2.0
//! Random Qwen3-MoE files of the smallest sizes, for laws of the forward pass: no tokenizer.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/contracts/case.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/io/gguf_writer.hpp"
#include "sluice/quant/row.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::contracts {

//! Which formats the matrices of a random model have.
enum class RandomFormats {
    floats,  //!< what a computation in double precision can be compared with
    all,     //!< every format of the library: floats, blocks of 32 or, in a few models, which are dear, of 256
};

//! A file in memory. Each matrix is in another format; the epsilon of the norms and the base of the rotary embedding
//! are none of the usual ones, the latter may be scaled, and the q/k norms are far from one: what a program may not
//! assume, it cannot get right by chance.
class RandomModel {
public:
    //! Parts that another file of another architecture would have, or that are damaged.
    struct Oddity {
        std::string architecture = "qwen3moe";
        std::string left_out{}, added{};  //!< names of tensors
    };

    explicit RandomModel(Case& c, RandomFormats formats = RandomFormats::floats) : RandomModel(c, Oddity(), formats) {}
    RandomModel(Case& c, Oddity odd, RandomFormats formats = RandomFormats::floats)
        : draws_(c), odd_(std::move(odd)), block_(formats == RandomFormats::all ? block(c) : 1) {
        const bool wide = block_ == 256;  // all rows are: the sums of the heads, too
        const auto kv_heads = c.integer<std::uint32_t>(1, 2);
        const std::uint32_t heads = wide ? 2U : kv_heads * c.integer<std::uint32_t>(1, 3);
        const std::uint32_t head_dim = wide ? 128U : block_ == 32 ? 32U : c.pick({16U, 32U});
        const std::uint32_t hidden = wide ? 256U : block_ == 32 ? c.pick({32U, 64U}) : c.pick({16U, 24U, 40U});
        const std::uint32_t ff = block_ > 1 ? block_ : c.pick({8U, 24U});
        const auto layers = c.integer<std::uint32_t>(1, wide ? 1 : 2),
                   experts = c.integer<std::uint32_t>(3, wide ? 3 : 6);
        const auto theta =
            static_cast<float>(std::pow(10.0, c.pick({c.real(2.0, 3.5), c.real(4.5, 5.5), c.real(6.2, 6.8)})));
        const auto eps = static_cast<float>(std::pow(10.0, c.real(-6.0, -1.0)));
        const auto used = c.integer<std::uint32_t>(2, experts - 1);
        c.given("layers, hidden, heads, kv_heads, head_dim, experts, used, ff",
                std::vector{layers, hidden, heads, kv_heads, head_dim, experts, used, ff});
        c.given("rotary base", theta);
        c.given("epsilon", eps);

        set("block_count", layers);
        set("embedding_length", hidden);
        set("attention.head_count", heads);
        set("attention.head_count_kv", kv_heads);
        set("attention.key_length", head_dim);
        set("attention.value_length", head_dim);
        set("expert_count", experts);
        set("expert_used_count", used);
        set("expert_feed_forward_length", ff);
        set("context_length", std::uint32_t{64});
        set("attention.layer_norm_rms_epsilon", eps);
        set("rope.freq_base", theta);
        if (c.chance(0.4)) scale_rope(c);
        layout_.set("general.architecture", odd_.architecture);

        matrix("token_embd", {hidden, vocab}, 4.0);
        for (std::uint32_t i = 0; i < layers; ++i) {
            const std::string block = "blk." + std::to_string(i) + ".";
            norm(block + "attn_norm", hidden);
            matrix(block + "attn_q", {hidden, heads * head_dim});
            matrix(block + "attn_k", {hidden, kv_heads * head_dim});
            matrix(block + "attn_v", {hidden, kv_heads * head_dim});
            norm(block + "attn_q_norm", head_dim);
            norm(block + "attn_k_norm", head_dim);
            matrix(block + "attn_output", {heads * head_dim, hidden});
            norm(block + "ffn_norm", hidden);
            matrix(block + "ffn_gate_inp", {hidden, experts}, 3.0, quant::Format::F32);
            matrix(block + "ffn_gate_exps", {hidden, ff, experts});
            matrix(block + "ffn_up_exps", {hidden, ff, experts});
            matrix(block + "ffn_down_exps", {ff, hidden, experts}, 4.0,
                   i > 0         ? quant::Format::BF16
                   : block_ == 1 ? quant::Format::F16
                                 : format());
        }
        norm("output_norm", hidden);
        matrix("output", {hidden, vocab});
        if (!odd_.added.empty()) norm(odd_.added, hidden);

        bytes_ = value_or_throw(layout_.head());
        for (const std::vector<std::byte>& tensor : tensors_) {
            bytes_.insert(bytes_.end(), tensor.begin(), tensor.end());
            bytes_.resize((bytes_.size() + layout_.alignment() - 1) / layout_.alignment() * layout_.alignment());
        }
        file_.emplace(value_or_throw(gguf::File::from_bytes(bytes_, "random model")));
    }

    static constexpr std::uint32_t vocab = 23;

    const gguf::File& file() const { return *file_; }

    std::vector<Token> tokens(std::size_t count) {
        std::vector<Token> drawn(count);
        for (Token& token : drawn) token = draws_.integer<Token>(0, vocab - 1);
        return drawn;
    }

private:
    //! How many numbers a block of the file's formats has.
    static std::uint32_t block(Case& c) { return c.chance(0.5) ? 1U : c.chance(0.99) ? 32U : 256U; }

    quant::Format format() {
        using quant::Format;
        switch (block_) {
            case 1:
                return draws_.pick({Format::F32, Format::F16, Format::BF16});
            case 32:
                return draws_.pick({Format::Q8_0, Format::Q4_0, Format::Q5_0, Format::F16});
            default:
                return draws_.pick({Format::Q4_K, Format::Q5_K, Format::Q6_K, Format::Q8_0});
        }
    }

    template <class T>
    void set(const std::string& key, T value) {
        layout_.set(odd_.architecture + "." + key, value);
    }

    void scale_rope(Case& c) {
        const std::string kind = c.pick<std::string>({"linear", "yarn"});
        const auto factor = static_cast<float>(c.real(1.5, 8.0));
        c.given("rotary scaling", kind);
        c.given("factor", factor);
        set("rope.scaling.type", kind);
        set("rope.scaling.factor", factor);
        if (kind == "linear") return;
        set("rope.scaling.original_context_length", c.integer<std::uint32_t>(40, 4000));
        set("rope.scaling.yarn_attn_factor", static_cast<float>(c.real(0.5, 1.5)));
        set("rope.scaling.yarn_beta_fast", static_cast<float>(c.real(8.0, 40.0)));
        set("rope.scaling.yarn_beta_slow", static_cast<float>(c.real(0.5, 2.0)));
    }

    void norm(const std::string& name, std::uint32_t size) {
        add(name, quant::Format::F32, {size}, Draws::floats(size, [&] { return draws_.real(0.3, 2.5); }));
    }
    void matrix(const std::string& name, const std::vector<std::uint64_t>& shape, double gain = 1.0,
                std::optional<quant::Format> fixed = {}) {
        const auto size = std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>());
        const quant::Format drawn = fixed ? *fixed : format();  // before the values, on every compiler
        add(name, drawn, shape, draws_.normals(size, gain / std::sqrt(static_cast<double>(shape[0]))));
    }
    void add(const std::string& name, quant::Format format, const std::vector<std::uint64_t>& shape,
             const std::vector<float>& values) {
        if (name == odd_.left_out) return;
        layout_.add_tensor(name + ".weight", format, shape);
        quant::Any::visit(format, [&]<class F>() {
            std::vector<std::byte>& bytes = tensors_.emplace_back(quant::row_bytes<F>(values.size()));
            quant::encode_row<F>(values.data(), values.size(), bytes.data());
        });
    }

    Case& draws_;
    Oddity odd_;
    std::uint32_t block_;
    gguf::Layout layout_;
    std::vector<std::vector<std::byte>> tensors_;
    std::vector<std::byte> bytes_;
    std::optional<gguf::File> file_;
};

}  // namespace sluice::contracts
