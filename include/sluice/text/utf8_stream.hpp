// SPDX-License-Identifier: Apache-2.0
//! Bytes in, whole code points out: a token may end in the middle of a character.
#pragma once

#include <string>
#include <string_view>

#include "sluice/core/utf8.hpp"

namespace sluice {

//! Holds back an unfinished character until the rest comes. Ill-formed bytes become U+FFFD, one for each maximal
//! subpart (Unicode 15, section 3.9), so all pushes together give the same text however the bytes were cut.
class Utf8Stream {
public:
    //! Appends to `out` every code point that is whole now.
    void push(std::string_view bytes, std::string& out) {
        pending_ += bytes;
        std::string_view rest = pending_;
        while (true) {
            const std::size_t whole = utf8::valid_prefix(rest);
            out += rest.substr(0, whole);
            rest.remove_prefix(whole);
            if (rest.empty()) break;
            const utf8::CodePoint next = utf8::decode(rest, 0);
            if (next.form == utf8::Form::cut) break;
            utf8::append(out, utf8::replacement);
            rest.remove_prefix(next.length);
        }
        pending_.erase(0, pending_.size() - rest.size());
    }

    //! Ends the text: an unfinished character becomes U+FFFD. The stream may then be used for another text.
    void flush(std::string& out) {
        if (!pending_.empty()) utf8::append(out, utf8::replacement);
        pending_.clear();
    }

private:
    std::string pending_;  // at most three bytes between calls
};

}  // namespace sluice
