// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/nfc.hpp"

#include <doctest/doctest.h>
#include <random>
#include <string>

using namespace sluice;

TEST_CASE("nfc: composes, decomposes, reorders") {
    CHECK(nfc("") == "");
    CHECK(nfc("plain text\r\n") == "plain text\r\n");
    CHECK(nfc("cafe\u0301") == "caf\u00E9");
    CHECK(nfc("caf\u00E9") == "caf\u00E9");
    CHECK(nfc("q\u0307\u0323") == "q\u0323\u0307");
    CHECK(nfc("e\u0323\u0302") == "\u1EC7");
    CHECK(nfc("e\u0302\u0323") == "\u1EC7");
    CHECK(nfc("\u212B") == "\u00C5");              // a singleton
    CHECK(nfc("\u1112\u1161\u11AB") == "\uD55C");  // Hangul
    CHECK(nfc("\u1112\u1161\u11AB\u11AB") == "\uD55C\u11AB");
    CHECK(nfc("\u0958") == "\u0915\u093C");          // excluded from composition
    CHECK(nfc("\u0344") == "\u0308\u0301");          // decomposes to marks
    CHECK(nfc("a\u05B0\u0301") == "\u00E1\u05B0");   // a mark of a lower class does not block
    CHECK(nfc("a\u0308\u0301") == "\u00E4\u0301");   // one of the same class does
    CHECK(nfc("a\u0305\u0301") == "a\u0305\u0301");  // and keeps the next from joining the letter
    CHECK(nfc("\u0301a") == "\u0301a");              // a mark with nothing before it
    CHECK(nfc("\uFB01 \uFF21") == "\uFB01 \uFF21");  // compatibility characters stay
}

TEST_CASE("nfc: marks of one class keep their order, however many") {
    std::string marks;
    for (int i = 0; i < 40; ++i) marks += i % 3 == 0 ? "\u0305" : "\u030D";
    CHECK(nfc("x" + marks + "\u0316") == "x\u0316" + marks);
}

TEST_CASE("nfc: ill-formed bytes are kept and separate what surrounds them") {
    CHECK(nfc("e\xFF\u0301") == "e\xFF\u0301");
    CHECK(nfc("\xFF\u0301") == "\xFF\u0301");
    CHECK(nfc("e\u0301\xC3") == "\u00E9\xC3");
    CHECK(nfc("\xE2\x82"
              "e\u0301\x80") == "\xE2\x82\u00E9\x80");
}

TEST_CASE("nfc: is idempotent, whatever the bytes") {
    std::mt19937 random(1);
    const std::string pieces[] = {"a",      "e",      "\u00E9", "\u0301", "\u0323", "\u0307",
                                  "\u1112", "\u1161", "\u11AB", "\uAC00", "\u0958", "\u0344",
                                  "\xFF",   "\xC3",   "\u0345", "\u05B0", "\u212B", " "};
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        for (auto length = random() % 12; length > 0; --length) text += pieces[random() % std::size(pieces)];
        const std::string once = nfc(text);
        if (nfc(once) != once) FAIL(text);
    }
}

TEST_CASE("nfc: a long run of marks takes no quadratic time") {
    std::string marks = "a";
    for (int i = 0; i < 200000; ++i) marks += i % 2 == 0 ? "\u0302" : "\u0323";
    const std::string normal = nfc(marks);  // 4e10 swaps, if it were
    // U+1EAD is a with both marks; its three bytes replace five.
    CHECK(normal.size() == marks.size() - 2);
    CHECK(normal.starts_with("\u1EAD\u0323"));
    CHECK(normal.ends_with("\u0302\u0302"));
}
