// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/vocabulary.hpp"

#include <doctest/doctest.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpe_vocabulary.hpp"
#include "sluice/io/gguf_writer.hpp"
#include "sluice/text/chat_template.hpp"

using namespace sluice;

namespace {

//! The metadata of a good tokenizer. Keys named in `without` are left out, for tests to set or to miss.
gguf::Layout metadata(std::string_view without = {}) {
    const test::SmallVocabulary vocabulary({"a b"}, {"<|endoftext|>", "<|im_start|>", "<|im_end|>"});
    gguf::Layout layout;
    const auto set = [&](std::string_view key, const auto& value) {
        if (key != without) layout.set("tokenizer.ggml." + std::string(key), value);
    };
    set("model", std::string("gpt2"));
    set("pre", std::string("qwen2"));
    set("tokens", vocabulary.tokens);
    set("token_type", vocabulary.types);
    set("merges", vocabulary.merges);
    return layout;
}

Expected<Vocabulary<BpeTokenizer>> read(const gguf::Layout& layout, Normalization normalization = {}) {
    const auto bytes = layout.head();
    REQUIRE(bytes.ok());
    SLUICE_ASSIGN(const gguf::File file, gguf::File::from_bytes(*bytes, "m.gguf"));
    return read_vocabulary<BpeTokenizer>(file, normalization);
}

void check_refused(const gguf::Layout& layout, const std::string& start_of_message) {
    const auto text = read(layout);
    REQUIRE_FALSE(text.ok());
    CAPTURE(text.status().message());
    CHECK(text.status().message().starts_with(start_of_message));
}

constexpr const char* eos = "tokenizer.ggml.eos_token_id";
constexpr const char* bos = "tokenizer.ggml.bos_token_id";
constexpr const char* add_bos = "tokenizer.ggml.add_bos_token";

}  // namespace

TEST_CASE("vocabulary: what need not be there has its default") {
    const auto text = read(metadata());
    REQUIRE(text.ok());
    CHECK(text->tokenizer.vocab_size() == 260);
    CHECK(text->tokenizer.piece(256) == "ab");
    CHECK(text->stop_tokens == std::vector<Token>{257, 259});
    CHECK(text->bos == std::nullopt);
    CHECK(text->chat_template.empty());
}

TEST_CASE("vocabulary: reads ids, template and normalization") {
    gguf::Layout layout = metadata();
    layout.set(eos, std::uint32_t{5}).set(bos, std::uint32_t{257}).set("tokenizer.ggml.eot_token_id", std::uint32_t{4});
    layout.set(add_bos, true).set("tokenizer.chat_template", std::string("{{ x }}"));
    const auto text = read(layout, Normalization::nfc);
    REQUIRE(text.ok());
    CHECK(text->stop_tokens == std::vector<Token>{4, 5, 257, 259});
    CHECK(text->bos == 257);
    CHECK(text->chat_template == "{{ x }}");
    CHECK(text->tokenizer.encode("e\u0301", SpecialTokens::as_text)->size() == 2);
}

TEST_CASE("vocabulary: a bos token that the file does not ask for is not added") {
    CHECK(read(metadata().set(bos, std::uint32_t{257}))->bos == std::nullopt);
    CHECK(read(metadata().set(bos, std::uint32_t{257}).set(add_bos, false))->bos == std::nullopt);
}

TEST_CASE("vocabulary: refuses missing keys, other tokenizers, and ids outside the vocabulary") {
    for (const std::string key : {"model", "pre", "tokens", "token_type", "merges"}) {
        check_refused(metadata(key), "m.gguf: key 'tokenizer.ggml." + key + "': is missing");
    }
    check_refused(metadata("model").set("tokenizer.ggml.model", std::string("llama")),
                  "m.gguf: key 'tokenizer.ggml.model': is 'llama'; only 'gpt2' is supported");
    check_refused(metadata("pre").set("tokenizer.ggml.pre", std::string("llama-bpe")),
                  "m.gguf: key 'tokenizer.ggml.pre': is 'llama-bpe'; only 'qwen2' is supported");
    check_refused(metadata("token_type").set("tokenizer.ggml.token_type", std::string("x")),
                  "m.gguf: key 'tokenizer.ggml.token_type': has type string");
    check_refused(metadata("merges").set("tokenizer.ggml.merges", std::vector<std::string>{"a c"}),
                  "m.gguf: merge 0 'a c': its result is not in the vocabulary");
    check_refused(metadata().set(eos, std::uint32_t{260}),
                  "m.gguf: key 'tokenizer.ggml.eos_token_id': is 260, but the vocabulary has 260 tokens");
    check_refused(metadata().set(eos, std::int32_t{-1}),
                  "m.gguf: key 'tokenizer.ggml.eos_token_id': is -1, but the vocabulary has 260 tokens");
    check_refused(metadata().set(add_bos, true),
                  "m.gguf: key 'tokenizer.ggml.add_bos_token': is true, but there is no bos_token_id");
}

namespace {

//! A user's tokenizer: one byte, one token.
struct ByteTokenizer {
    static Expected<ByteTokenizer> from_gguf(const gguf::File& file, Normalization) {
        SLUICE_TRY(file.get<std::string>("my.key"));
        return ByteTokenizer();
    }
    Expected<std::vector<Token>> encode(std::string_view text, SpecialTokens) const {
        return std::vector<Token>(text.begin(), text.end());
    }
    std::string_view piece(Token) const { return {}; }
    bool is_control(Token) const { return false; }
    std::optional<Token> find_special(std::string_view) const { return std::nullopt; }
    std::size_t vocab_size() const { return 256; }
};

Expected<Vocabulary<ByteTokenizer>> read_bytes(const gguf::Layout& layout) {
    const auto bytes = layout.head();
    REQUIRE(bytes.ok());
    SLUICE_ASSIGN(const gguf::File file, gguf::File::from_bytes(*bytes, "m.gguf"));
    return read_vocabulary<ByteTokenizer>(file);
}

}  // namespace

TEST_CASE("vocabulary: a user's own tokenizer builds itself") {
    const auto text = read_bytes(gguf::Layout().set("my.key", std::string("x")).set(eos, std::uint32_t{255}));
    REQUIRE(text.ok());
    CHECK(text->stop_tokens == std::vector<Token>{255});
    CHECK(read_bytes(gguf::Layout()).status().message().starts_with("m.gguf: key 'my.key': is missing"));
}

TEST_CASE("vocabulary: the story model's text") {
    const auto file = gguf::File::open(SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf");
    REQUIRE(file.ok());
    const auto text = read_vocabulary<BpeTokenizer>(*file);
    REQUIRE(text.ok());
    CHECK(text->tokenizer.vocab_size() == 2048);
    CHECK(text->stop_tokens == std::vector<Token>{2039, 2041});
    CHECK(text->bos == std::nullopt);
    CHECK(chat::template_fit(text->chat_template) == chat::TemplateFit::same);
}
