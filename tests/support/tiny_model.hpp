// SPDX-License-Identifier: Apache-2.0
//! Small random Qwen3-MoE files in memory, complete with a byte-level tokenizer; any key or tensor can be changed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/io/gguf_writer.hpp"
#include "sluice/quant/row.hpp"
#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"
#include "unit/text/bpe_vocabulary.hpp"

namespace sluice::test {

constexpr Token end_of_text = 258, end_of_turn = 260;  //!< in the vocabulary of these models

//! The content of a GGUF file before it is written.
class Draft {
public:
    struct Tensor {
        std::string name;
        quant::Format format;
        std::vector<std::uint64_t> shape;  //!< fastest first
        std::vector<std::byte> bytes;
    };

    //! Adds a key, or gives it another value (of any type).
    template <class T>
    Draft& set(const std::string& key, const T& value) {
        erase(key);
        keys_.emplace_back(key, [key, value](gguf::Layout& layout) { layout.set(key, value); });
        return *this;
    }
    Draft& erase(std::string_view key) {
        std::erase_if(keys_, [&](const auto& entry) { return entry.first == key; });
        return *this;
    }

    //! Adds a tensor of these values, or replaces the one of this name.
    Draft& add(const std::string& name, quant::Format format, std::vector<std::uint64_t> shape,
               const std::vector<float>& values) {
        remove(name);
        std::vector<std::byte> bytes;
        quant::Any::visit(format, [&]<class F>() {
            bytes.resize(quant::row_bytes<F>(values.size()));
            quant::encode_row<F>(values.data(), values.size(), bytes.data());
        });
        tensors_.push_back({name, format, std::move(shape), std::move(bytes)});
        return *this;
    }
    Draft& remove(std::string_view name) {
        std::erase_if(tensors_, [&](const Tensor& tensor) { return tensor.name == name; });
        return *this;
    }
    Tensor& tensor(std::string_view name) {
        const auto at = std::find_if(tensors_.begin(), tensors_.end(), [&](const Tensor& t) { return t.name == name; });
        REQUIRE(at != tensors_.end());
        return *at;
    }

    //! The file.
    std::vector<std::byte> bytes() const {
        gguf::Layout layout;
        for (const auto& [key, set_key] : keys_) set_key(layout);
        for (const Tensor& tensor : tensors_) layout.add_tensor(tensor.name, tensor.format, tensor.shape);
        auto file = layout.head();
        REQUIRE_MESSAGE(file.ok(), file.status().message());
        for (const Tensor& tensor : tensors_) {
            file->insert(file->end(), tensor.bytes.begin(), tensor.bytes.end());
            file->resize((file->size() + layout.alignment() - 1) / layout.alignment() * layout.alignment());
        }
        return std::move(*file);
    }

private:
    std::vector<std::pair<std::string, std::function<void(gguf::Layout&)>>> keys_;
    std::vector<Tensor> tensors_;
};

//! The sizes of a tiny model. All number formats fit the default ones, and query heads are wider than hidden.
struct TinyModel {
    std::uint32_t layers = 2, hidden = 256, heads = 8, kv_heads = 2, head_dim = 64, experts = 4, used = 2, ff = 256;
    std::uint32_t context = 2048;
    quant::Format format = quant::Format::F32;       //!< of the matrices
    quant::Format down_format = quant::Format::F32;  //!< of ffn_down_exps, attn_v and output
    bool tied = false;                               //!< no output matrix
    std::uint32_t seed = 1;

    //! The same sizes in one format.
    TinyModel in(quant::Format all) const { return in(all, all); }
    TinyModel in(quant::Format most, quant::Format down) const {
        TinyModel model = *this;
        model.format = most;
        model.down_format = down;
        return model;
    }

    Draft draft() const {
        Draft draft;
        draft.set("general.architecture", std::string("qwen3moe"))
            .set("qwen3moe.block_count", layers)
            .set("qwen3moe.embedding_length", hidden)
            .set("qwen3moe.attention.head_count", heads)
            .set("qwen3moe.attention.head_count_kv", kv_heads)
            .set("qwen3moe.attention.key_length", head_dim)
            .set("qwen3moe.attention.value_length", head_dim)
            .set("qwen3moe.expert_count", experts)
            .set("qwen3moe.expert_used_count", used)
            .set("qwen3moe.expert_feed_forward_length", ff)
            .set("qwen3moe.context_length", context)
            .set("qwen3moe.attention.layer_norm_rms_epsilon", 1e-6F)
            .set("qwen3moe.rope.freq_base", 1e4F);

        const SmallVocabulary vocabulary({"h e", "Ġ t"}, {"<|endoftext|>", "<|im_start|>", "<|im_end|>"});
        const auto vocab = static_cast<std::uint32_t>(vocabulary.tokens.size());
        draft.set("tokenizer.ggml.model", std::string("gpt2"))
            .set("tokenizer.ggml.pre", std::string("qwen2"))
            .set("tokenizer.ggml.tokens", vocabulary.tokens)
            .set("tokenizer.ggml.token_type", vocabulary.types)
            .set("tokenizer.ggml.merges", vocabulary.merges)
            .set("tokenizer.ggml.eos_token_id", vocab - 1);

        std::uint32_t next_seed = seed * 1000;
        const auto norm = [&](const std::string& name, std::uint32_t size) {
            std::vector<float> weights = random_floats(size, ++next_seed, 0.3);
            for (float& w : weights) w += 1.0F;
            draft.add(name, quant::Format::F32, {size}, weights);
        };
        const auto matrix = [&](const std::string& name, quant::Format f, std::vector<std::uint64_t> shape,
                                double gain = 1.0) {
            std::size_t size = 1;
            for (const std::uint64_t extent : shape) size *= extent;
            const double deviation = gain / std::sqrt(static_cast<double>(shape[0]));
            draft.add(name, f, shape, random_floats(size, ++next_seed, deviation));
        };
        matrix("token_embd.weight", format, {hidden, vocab}, 8.0);
        for (std::uint32_t i = 0; i < layers; ++i) {
            const std::string block = "blk." + std::to_string(i) + ".";
            norm(block + "attn_norm.weight", hidden);
            matrix(block + "attn_q.weight", format, {hidden, heads * head_dim});
            matrix(block + "attn_k.weight", format, {hidden, kv_heads * head_dim});
            matrix(block + "attn_v.weight", down_format, {hidden, kv_heads * head_dim});
            norm(block + "attn_q_norm.weight", head_dim);
            norm(block + "attn_k_norm.weight", head_dim);
            matrix(block + "attn_output.weight", format, {heads * head_dim, hidden});
            norm(block + "ffn_norm.weight", hidden);
            matrix(block + "ffn_gate_inp.weight", quant::Format::F32, {hidden, experts});
            matrix(block + "ffn_gate_exps.weight", format, {hidden, ff, experts});
            matrix(block + "ffn_up_exps.weight", format, {hidden, ff, experts});
            matrix(block + "ffn_down_exps.weight", down_format, {ff, hidden, experts}, 2.0);
        }
        norm("output_norm.weight", hidden);
        if (!tied) matrix("output.weight", down_format, {hidden, vocab});
        return draft;
    }
};

//! Sizes that are no multiple of a vector, for the float formats: three query heads share a key, hidden is 40.
inline constexpr TinyModel odd_model{
    .layers = 3, .hidden = 40, .heads = 6, .kv_heads = 2, .head_dim = 16, .experts = 5, .used = 3, .ff = 24};

//! A file in memory, opened.
class MemoryFile {
public:
    explicit MemoryFile(const Draft& draft) : bytes_(draft.bytes()), file_(gguf::File::from_bytes(bytes_, "tiny")) {
        REQUIRE_MESSAGE(file_.ok(), file_.status().message());
    }
    const gguf::File& operator*() const { return *file_; }

private:
    std::vector<std::byte> bytes_;
    Expected<gguf::File> file_;
};

}  // namespace sluice::test
