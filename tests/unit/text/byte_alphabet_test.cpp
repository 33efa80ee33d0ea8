// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/byte_alphabet.hpp"

#include <doctest/doctest.h>
#include <set>

#include "bpe_vocabulary.hpp"

using namespace sluice;

TEST_CASE("byte_alphabet: known letters") {
    CHECK(byte_alphabet::to_bytes("\u0120the") == " the");
    CHECK(byte_alphabet::to_bytes("\u010A\u010A") == "\n\n");
    CHECK(byte_alphabet::to_bytes("\u00C3\u00A9") == "\u00E9");
    CHECK(byte_alphabet::to_bytes("\u0100\u0143\u0142") == std::string("\0\xAD\xA0", 3));
    CHECK(byte_alphabet::to_bytes("") == "");
}

TEST_CASE("byte_alphabet: every byte has its own letter") {
    std::set<std::string> letters;
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        const std::string letter = test::letter_of(byte);
        letters.insert(letter);
        CHECK(byte_alphabet::to_bytes(letter) == std::string(1, static_cast<char>(byte)));
    }
    CHECK(letters.size() == 256);
}

TEST_CASE("byte_alphabet: characters outside it are refused") {
    for (const char* text : {" ", "a b", "\n", "\u00AD", "\u0144", "\u4F60", "\xFF", "\xC4"}) {
        CAPTURE(text);
        CHECK(byte_alphabet::to_bytes(text) == std::nullopt);
    }
}
