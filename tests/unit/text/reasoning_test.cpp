// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/reasoning.hpp"

#include <algorithm>
#include <cstddef>
#include <doctest/doctest.h>
#include <string>
#include <string_view>

using namespace sluice;

namespace {

struct Parts {
    std::string reasoning, content;
    bool operator==(const Parts&) const = default;
};

//! The text in pieces of `size` bytes.
Parts split(std::string_view text, std::size_t size, ReasoningSplit& splitter) {
    Parts parts;
    for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) {
        splitter.push(text.substr(0, size), parts.reasoning, parts.content);
    }
    splitter.finish(parts.reasoning, parts.content);
    return parts;
}

}  // namespace

TEST_CASE("reasoning: a leading block is told from the answer, however the text is cut") {
    struct Case {
        std::string_view text;
        Parts parts;
    };
    for (const Case& c : {
             Case{"", {"", ""}},
             Case{"Hello\n", {"", "Hello\n"}},
             Case{"<think>\nTwo\n\nparts.\n</think>\n\nSo: 4\n", {"Two\n\nparts.", "So: 4\n"}},
             Case{"<think>\n\n</think>\n\nSo", {"", "So"}},
             Case{"<think></think>So", {"", "So"}},
             Case{"<think>a < b </ </thin </think>", {"a < b </ </thin ", ""}},
             Case{"<think>a</</think>b", {"a</", "b"}},
             Case{"<think>never closed</thi", {"never closed</thi", ""}},
             Case{"<think>ends\n\n", {"ends", ""}},
             Case{"<thin", {"", "<thin"}},
             Case{"<thing>", {"", "<thing>"}},
             Case{"\n<think>late</think>", {"", "\n<think>late</think>"}},
             Case{"<think>a</think>b<think>c</think>", {"a", "b<think>c</think>"}},
         }) {
        ReasoningSplit splitter;
        for (std::size_t size = 1; size <= c.text.size() + 1; ++size) {
            INFO(c.text << " in pieces of " << size);
            const Parts parts = split(c.text, size, splitter);  // used again for the next text
            CHECK(parts.reasoning == c.parts.reasoning);
            CHECK(parts.content == c.parts.content);
        }
    }
}

TEST_CASE("reasoning: what is decided is not held back") {
    ReasoningSplit splitter;
    Parts parts;
    splitter.push("<think>\nI see", parts.reasoning, parts.content);
    CHECK(parts == Parts{"I see", ""});
    splitter.push(".\n<", parts.reasoning, parts.content);
    CHECK(parts == Parts{"I see.", ""});
    splitter.push("b></think>\n\nYes", parts.reasoning, parts.content);
    CHECK(parts == Parts{"I see.\n<b>", "Yes"});
}
