// SPDX-License-Identifier: Apache-2.0
//! The files that the commands in docs/reliability.md read, by their names there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/tiny_model.hpp"
#include "unit/io/files.hpp"

namespace sluice::test {

struct NamedFile {
    std::string name;
    std::function<std::vector<std::byte>()> make;
};

namespace detail {

//! A whole model, of half a megabyte.
inline Draft model() {
    return TinyModel{.layers = 1, .heads = 2, .kv_heads = 1, .head_dim = 16, .experts = 2, .used = 1, .ff = 16}.draft();
}

inline NamedFile text_file(std::string name, std::string text) {
    return {std::move(name), [text] { return Bytes().raw(text).data; }};
}

//! The model after edit(draft).
inline NamedFile edited(std::string name, std::function<void(Draft&)> edit) {
    return {std::move(name), [edit] {
                Draft draft = model();
                edit(draft);
                return draft.bytes();
            }};
}

//! The model with a key of qwen3moe that has another value.
template <class T>
NamedFile with_key(std::string name, const std::string& key, T value) {
    return edited(std::move(name), [=](Draft& draft) { draft.set("qwen3moe." + key, value); });
}

inline NamedFile of_architecture(std::string name, std::string architecture) {
    return edited(std::move(name), [=](Draft& draft) { draft.set("general.architecture", architecture); });
}

//! The model's bytes after damage(bytes).
inline NamedFile damaged(std::string name, std::function<void(std::vector<std::byte>&)> damage) {
    return {std::move(name), [damage] {
                std::vector<std::byte> bytes = model().bytes();
                damage(bytes);
                return bytes;
            }};
}

//! Where a key or a tensor's name ends.
inline std::size_t behind(std::span<const std::byte> file, std::string_view name) {
    const auto bytes = std::as_bytes(std::span(name));
    const auto at = std::search(file.begin(), file.end(), bytes.begin(), bytes.end());
    REQUIRE(at != file.end());
    return static_cast<std::size_t>(at - file.begin()) + name.size();
}

template <class T>
NamedFile overwritten(std::string name, std::function<std::size_t(std::span<const std::byte>)> at, T value) {
    return damaged(std::move(name),
                   [=](std::vector<std::byte>& file) { std::memcpy(&file[at(file)], &value, sizeof value); });
}

//! A number in the record of the tensor output_norm.weight: 0 dimensions, 4 extent, 12 format, 16 offset.
template <class T>
NamedFile with_norm_record(std::string name, std::size_t field, T value) {
    const auto at = [=](std::span<const std::byte> file) { return behind(file, "output_norm.weight") + field; };
    return overwritten(std::move(name), at, value);
}

inline NamedFile cut(std::string name, std::function<std::size_t(std::span<const std::byte>)> length) {
    return damaged(std::move(name), [=](std::vector<std::byte>& file) { file.resize(length(file)); });
}

}  // namespace detail

//! Files that are broken, foreign or hostile.
inline std::vector<NamedFile> damaged_files() {
    using namespace detail;
    using File = std::span<const std::byte>;
    const auto at = [](std::size_t place) { return [place](File) { return place; }; };
    return {
        text_file("empty.gguf", ""),
        text_file("notes.txt", "Buy milk for the fox.\n"),
        text_file("lfs-pointer.gguf", "version https://git-lfs.github.com/spec/v1\n"),
        overwritten("version-1.gguf", at(4), std::uint32_t{1}),
        overwritten("version-4.gguf", at(4), std::uint32_t{4}),
        overwritten("big-endian.gguf", at(4), std::uint32_t{0x03000000}),
        cut("cut-header.gguf", at(20)),
        cut("cut-keys.gguf", at(700)),
        cut("cut-table.gguf", [](File file) { return behind(file, "output_norm.weight"); }),
        cut("cut-data.gguf", [](File file) { return file.size() - 1000; }),
        overwritten("many-tensors.gguf", at(8), std::uint64_t{1} << 60U),
        overwritten("long-key.gguf", at(24), std::uint64_t{1} << 63U),
        damaged("same-names.gguf",
                [](auto& file) { file[behind(file, "blk.0.attn_q.weight") - 8] = static_cast<std::byte>('k'); }),
        with_norm_record("dimensions-9.gguf", 0, std::uint32_t{9}),
        with_norm_record("huge-tensor.gguf", 4, std::uint64_t{1} << 62U),
        with_norm_record("format-99.gguf", 12, std::uint32_t{99}),
        with_norm_record("outside.gguf", 16, std::uint64_t{1} << 40U),
        with_norm_record("unaligned.gguf", 16, std::uint64_t{33}),
        with_norm_record("overlap.gguf", 16, std::uint64_t{0}),
        edited("first-00001-of-00002.gguf",
               [](Draft& draft) {
                   draft.set("split.no", std::uint16_t{0});
                   draft.set("split.count", std::uint16_t{2}).set("split.tensors.count", std::int32_t{30});
               }),
    };
}

//! Whole GGUF files that are no Qwen3-MoE model, or none that can be run.
inline std::vector<NamedFile> unfit_files() {
    using namespace detail;
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    return {
        of_architecture("llama.gguf", "llama"),
        of_architecture("dense.gguf", "qwen3"),
        of_architecture("qwen2moe.gguf", "qwen2moe"),
        of_architecture("qwen35moe.gguf", "qwen35moe"),
        edited("no-epsilon.gguf", [](Draft& d) { d.erase("qwen3moe.attention.layer_norm_rms_epsilon"); }),
        edited("no-theta.gguf", [](Draft& d) { d.erase("qwen3moe.rope.freq_base"); }),
        with_key("text-heads.gguf", "attention.head_count", std::string("two")),
        with_key("no-layers.gguf", "block_count", std::uint32_t{0}),
        with_key("heads-2-of-3.gguf", "attention.head_count_kv", std::uint32_t{3}),
        with_key("head-40.gguf", "attention.key_length", std::uint32_t{40}),
        with_key("value-32.gguf", "attention.value_length", std::uint32_t{32}),
        with_key("nine-experts-used.gguf", "expert_used_count", std::uint32_t{9}),
        with_key("theta-0.gguf", "rope.freq_base", 0.0F),
        with_key("theta-nan.gguf", "rope.freq_base", nan),
        with_key("partial-rope.gguf", "rope.dimension_count", std::uint32_t{8}),
        with_key("longrope.gguf", "rope.scaling.type", std::string("longrope")),
        with_key("no-context.gguf", "context_length", std::uint32_t{0}),
        with_key("long-context.gguf", "context_length", std::uint32_t{1} << 24U),
        edited("no-router.gguf", [](Draft& d) { d.remove("blk.0.ffn_gate_inp.weight"); }),
        edited("wrong-shape.gguf",
               [](Draft& d) { d.add("output_norm.weight", quant::Format::F32, {128}, std::vector<float>(128)); }),
        edited("bias.gguf",
               [](Draft& d) { d.add("blk.0.attn_q.bias", quant::Format::F32, {32}, std::vector<float>(32)); }),
        edited("f16-norm.gguf",
               [](Draft& d) { d.add("output_norm.weight", quant::Format::F16, {256}, std::vector<float>(256)); }),
        edited("iq4-xs.gguf",
               [](Draft& d) {
                   Draft::Tensor& q = d.tensor("blk.0.attn_q.weight");
                   q.format = quant::Format::IQ4_XS;
                   q.bytes.resize(*gguf::tensor_bytes(q.format, q.shape));
               }),
        {"vocabulary.gguf", [] { return read_file(SLUICE_SOURCE_DIR "/tests/golden/qwen3-vocab.gguf"); }},
    };
}

//! Models with a tokenizer or a chat template that cannot be used.
inline std::vector<NamedFile> speechless_files() {
    using namespace detail;
    using Strings = std::vector<std::string>;
    const SmallVocabulary vocabulary({"h e", "Ġ t"}, {"<|endoftext|>", "<|im_start|>", "<|im_end|>"});
    const auto with_tokens = [=](std::string name, std::function<void(Strings&)> edit) {
        return edited(std::move(name), [=](Draft& draft) {
            Strings tokens = vocabulary.tokens;
            edit(tokens);
            draft.set("tokenizer.ggml.tokens", tokens);
            draft.set("tokenizer.ggml.token_type", std::vector<std::int32_t>(tokens.size(), 1));
        });
    };
    return {
        edited("sentencepiece.gguf", [](Draft& d) { d.set("tokenizer.ggml.model", std::string("llama")); }),
        edited("llama-bpe.gguf", [](Draft& d) { d.set("tokenizer.ggml.pre", std::string("llama-bpe")); }),
        edited("no-tokens.gguf", [](Draft& d) { d.erase("tokenizer.ggml.tokens"); }),
        edited("foreign-merge.gguf",
               [](Draft& d) {
                   d.set("tokenizer.ggml.merges", Strings{"h e", "q u"});
               }),
        edited("eos-999.gguf", [](Draft& d) { d.set("tokenizer.ggml.eos_token_id", std::uint32_t{999}); }),
        with_tokens("same-tokens.gguf", [](Strings& tokens) { tokens[100] = tokens[101]; }),
        with_tokens("escape.gguf", [](Strings& tokens) { tokens[100] = "\x1B[2J"; }),
        with_tokens("many-tokens.gguf", [](Strings& tokens) { tokens.push_back("AB"); }),
        edited("no-template.gguf", [](Draft&) {}),
        edited("foreign-template.gguf",
               [](Draft& d) { d.set("tokenizer.chat_template", std::string("[INST] {{ prompt }} [/INST]")); }),
    };
}

//! Prompts, token ids and conversations.
inline std::vector<NamedFile> input_files() {
    using detail::text_file;
    return {
        text_file("blank.txt", "\n"),
        text_file("latin-1.txt", "caf\xE9"),
        text_file("letter.txt", "a"),
        text_file("hello.txt", "Hello\n"),
        text_file("typo.txt", "/rest\n"),
        text_file("again.txt", "/regen\n"),
        text_file("beyond.json", "[1, 99999]"),
        text_file("negative.json", "[-1]"),
        text_file("object.json", "{\"ids\": [1]}"),
        text_file("words.json", "[1, \"two\"]"),
        text_file("none.json", "[]"),
        text_file("unclosed.json", "[1, 2"),
        text_file("overflow.json", "[99999999999]"),
        text_file("good.json", "[1, 2]"),
    };
}

//! All of the above.
inline std::vector<NamedFile> bad_files() {
    std::vector<NamedFile> all;
    for (const auto& files : {damaged_files(), unfit_files(), speechless_files(), input_files()}) {
        all.insert(all.end(), files.begin(), files.end());
    }
    return all;
}

}  // namespace sluice::test
