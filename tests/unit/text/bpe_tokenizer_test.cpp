// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/bpe_tokenizer.hpp"

#include <doctest/doctest.h>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bpe_vocabulary.hpp"

using namespace sluice;
using test::SmallVocabulary;

namespace {

using Tokens = std::vector<Token>;

Tokens encode(const BpeTokenizer& tokenizer, std::string_view text, SpecialTokens special = SpecialTokens::as_text) {
    auto tokens = tokenizer.encode(text, special);
    REQUIRE(tokens.ok());
    return *tokens;
}

void check_refused(const SmallVocabulary& vocabulary, const std::string& message) {
    CAPTURE(message);
    const auto tokenizer = vocabulary.create();
    REQUIRE_FALSE(tokenizer.ok());
    CHECK(tokenizer.status().code() == Errc::corrupt);
    CHECK(tokenizer.status().message() == message + "; convert the model's tokenizer again");
}

}  // namespace

TEST_CASE("bpe_tokenizer: merges within words only") {
    const auto tokenizer = SmallVocabulary({"a b", "\u0120 ab", "b \u0120", "ab c"}).create();
    REQUIRE(tokenizer.ok());
    CHECK(encode(*tokenizer, "").empty());
    CHECK(encode(*tokenizer, "ab") == Tokens{256});
    CHECK(encode(*tokenizer, "ab ab") == Tokens{256, 257});
    CHECK(encode(*tokenizer, "abc ") == Tokens{259, ' '});
    CHECK(encode(*tokenizer, "b b") == Tokens{'b', ' ', 'b'});
}

TEST_CASE("bpe_tokenizer: a word that is a token but not what merging makes is merged") {
    SmallVocabulary vocabulary({"b c", "a b", "ab c"});  // "abc" becomes a + bc, never ab + c
    const auto tokenizer = vocabulary.create();
    REQUIRE(tokenizer.ok());
    CHECK(tokenizer->piece(258) == "abc");
    CHECK(encode(*tokenizer, "abc") == Tokens{'a', 256});
    CHECK(encode(*tokenizer, "ab") == Tokens{257});
}

TEST_CASE("bpe_tokenizer: special tokens are parsed when asked, the longest first") {
    const auto tokenizer = SmallVocabulary({}, {"<a>", "<a>b", "[x]", "[["}).create();
    REQUIRE(tokenizer.ok());
    const auto parse = [&](std::string_view text) { return encode(*tokenizer, text, SpecialTokens::parse); };
    CHECK(encode(*tokenizer, "<a>") == Tokens{'<', 'a', '>'});
    CHECK(parse("<a>") == Tokens{256});
    CHECK(parse("<a>b<a>c") == Tokens{257, 256, 'c'});
    CHECK(parse("z[x][") == Tokens{'z', 258, '['});
    CHECK(parse("[[[x]") == Tokens{259, 258});
    CHECK(parse("").empty());
}

TEST_CASE("bpe_tokenizer: words do not reach across a special token") {
    const auto tokenizer = SmallVocabulary({"a b", "\u0120 \u0120"}, {"<s>"}).create();
    REQUIRE(tokenizer.ok());
    CHECK(encode(*tokenizer, "a<s>b", SpecialTokens::parse) == Tokens{'a', 258, 'b'});
    CHECK(encode(*tokenizer, "  <s>x", SpecialTokens::parse) == Tokens{257, 258, 'x'});
}

TEST_CASE("bpe_tokenizer: NFC is applied only when asked, and not to special tokens") {
    SmallVocabulary vocabulary({"\u00C3 \u00A9"}, {"<e\u0301>"});
    const auto plain = vocabulary.create();
    const auto normal = vocabulary.create(Normalization::nfc);
    REQUIRE(plain.ok());
    REQUIRE(normal.ok());
    CHECK(encode(*plain, "e\u0301") == Tokens{'e', 0xCC, 0x81});
    CHECK(encode(*normal, "e\u0301") == Tokens{256});
    CHECK(encode(*normal, "<e\u0301>", SpecialTokens::parse) == Tokens{257});
}

TEST_CASE("bpe_tokenizer: decode undoes encode for any bytes") {
    const auto tokenizer =
        SmallVocabulary({"a b", "\u0120 a", "\u00C3 \u00A9", "ab ab", "\u00FF \u00FF"}, {"<s>"}).create();
    REQUIRE(tokenizer.ok());
    const std::string pieces[] = {"a",    "b",    " ",        "\u00E9", "<s>", "\n",
                                  "\xFF", "\xC3", "\xF0\x9F", "1",      "'s",  std::string(1, '\0')};
    std::mt19937 random(4);
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        for (auto length = random() % 20; length > 0; --length) text += pieces[random() % std::size(pieces)];
        const auto special = round % 2 == 0 ? SpecialTokens::parse : SpecialTokens::as_text;
        if (tokenizer->decode(*tokenizer->encode(text, special)) != text) FAIL(text);
    }
}

TEST_CASE("bpe_tokenizer: what is known about a token") {
    SmallVocabulary vocabulary({"a b"}, {"<s>"});
    vocabulary.add("<think>", TokenType::user_defined);
    vocabulary.add("[PAD]", TokenType::unused);
    const auto tokenizer = vocabulary.create();
    REQUIRE(tokenizer.ok());
    CHECK(tokenizer->vocab_size() == 260);
    CHECK(tokenizer->piece(' ') == " ");
    CHECK(tokenizer->piece(256) == "ab");
    CHECK(tokenizer->piece(257) == "<s>");
    CHECK(tokenizer->piece(259).empty());
    CHECK(tokenizer->piece(260).empty());
    CHECK(tokenizer->piece(-1).empty());
    CHECK(tokenizer->type(256) == TokenType::normal);
    CHECK(tokenizer->type(260) == std::nullopt);
    CHECK(tokenizer->is_control(257));
    CHECK_FALSE(tokenizer->is_control(258));  // <think> is shown
    CHECK_FALSE(tokenizer->is_control(256));
    CHECK_FALSE(tokenizer->is_control(-1));
    CHECK(tokenizer->find_special("<think>") == 258);
    CHECK_FALSE(tokenizer->find_special("ab"));
    CHECK_FALSE(tokenizer->find_special("[PAD]"));
    CHECK_FALSE(tokenizer->find_special(""));
}

TEST_CASE("bpe_tokenizer: one tokenizer serves many threads") {
    const auto tokenizer = SmallVocabulary({"a b", "ab ab", "\u0120 a"}).create();
    REQUIRE(tokenizer.ok());
    const std::string text = "abab ab aab abba";
    const Tokens expected = encode(*tokenizer, text);
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (int& count : wrong) {
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) count += *tokenizer->encode(text, SpecialTokens::parse) == expected ? 0 : 1;
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("bpe_tokenizer: a megabyte of one word takes no quadratic time") {
    std::vector<std::string> merges;
    for (std::string unit = "a"; unit.size() < 64; unit += unit) merges.push_back(unit + " " + unit);
    const auto tokenizer = SmallVocabulary(merges, {"<<<<<<<<<<<<<<<<<<<<"}).create();
    REQUIRE(tokenizer.ok());
    constexpr std::size_t length = 1U << 20U;
    CHECK(encode(*tokenizer, std::string(length, 'a')) == Tokens(length / 64, 261));  // 5e11 steps, if it were
    for (const char byte : {'b', ' ', '\n', '!', '\xFF'}) {
        CHECK(encode(*tokenizer, std::string(length, byte)) == Tokens(length, static_cast<unsigned char>(byte)));
    }
    CHECK(encode(*tokenizer, std::string(length - 1, '<'), SpecialTokens::parse).size() ==
          length / 20 + length % 20 - 1);
}

TEST_CASE("bpe_tokenizer: refuses a bad vocabulary") {
    const SmallVocabulary good({"a b"});
    REQUIRE(good.create().ok());

    SmallVocabulary bad = good;
    bad.types.pop_back();
    check_refused(bad, "vocabulary: 257 tokens, but 256 token types");

    bad = good;
    bad.types[7] = 6;
    check_refused(bad, "token 7 '\\xc4\\x87': has the unknown type 6");
    bad.types[7] = 0;
    check_refused(bad, "token 7 '\\xc4\\x87': has the unknown type 0");

    bad = good;
    bad.add("x y", TokenType::normal);
    check_refused(bad, "token 257 'x y': holds a character that stands for no byte");

    bad = good;
    bad.add("", TokenType::normal);
    check_refused(bad, "token 257 '': is empty");

    bad = good;
    bad.add("ab", TokenType::normal);
    check_refused(bad, "token 257 'ab': is the same as token 256");
    bad.types.back() = 3;
    check_refused(bad, "token 257 'ab': is the same as token 256");

    bad = good;
    bad.types[10] = 5;
    check_refused(bad, "vocabulary: no token stands for byte 10");
    bad.tokens.clear();
    bad.types.clear();
    check_refused(bad, "vocabulary: no token stands for byte 0");

    bad = good;
    bad.merges.push_back("a c");
    check_refused(bad, "merge 1 'a c': its result is not in the vocabulary");
    bad.merges.back() = "ac b";
    check_refused(bad, "merge 1 'ac b': its left part is not in the vocabulary");
    bad.merges.back() = "a bc";
    check_refused(bad, "merge 1 'a bc': its right part is not in the vocabulary");
    bad.merges.back() = "a b";
    check_refused(bad, "merge 1 'a b': appears twice");
    for (const char* rule : {"", " ", "ab", "a ", " b", "a b c", "a  b"}) {
        bad.merges.back() = rule;
        check_refused(bad, "merge 1 '" + std::string(rule) + "': is not two tokens with a space between them");
    }
}

TEST_CASE("bpe_tokenizer: messages shorten a long token and escape what is not printable") {
    SmallVocabulary bad;
    bad.add(std::string(90, 'x') + " ", TokenType::normal);
    check_refused(bad, "token 256 '" + std::string(80, 'x') + "...': holds a character that stands for no byte");
    bad.tokens.back() = "\u4F60\x1B\xFF";
    check_refused(bad, "token 256 '\\xe4\\xbd\\xa0\\x1b\\xff': holds a character that stands for no byte");
}
