// SPDX-License-Identifier: Apache-2.0
//! From the bytes of tokens to the text that may be shown: whole code points, up to the first stop string.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "sluice/text/stop_strings.hpp"
#include "sluice/text/utf8_stream.hpp"

namespace sluice {

//! One answer's text at a time: push() its tokens, then finish(), after which it is ready for another answer.
class VisibleText {
public:
    explicit VisibleText(StopStrings stops) : stops_(std::move(stops)) {}

    //! Takes the bytes of one token and appends to `out` what is decided by now. True once a stop string has appeared.
    bool push(std::string_view bytes, std::string& out) {
        whole_.clear();
        utf8_.push(bytes, whole_);
        return stops_.push(whole_, out);
    }

    //! Ends the text: appends what was held back. True if a stop string has appeared.
    bool finish(std::string& out) {
        whole_.clear();
        utf8_.flush(whole_);
        const bool stopped = stops_.push(whole_, out);
        stops_.flush(out);
        return stopped;
    }

private:
    Utf8Stream utf8_;
    StopStrings stops_;
    std::string whole_;
};

}  // namespace sluice
