// SPDX-License-Identifier: Apache-2.0
//! Ends a streamed text at the first stop string, wherever the pieces of the stream are cut.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/core/status.hpp"
#include "sluice/core/utf8.hpp"

namespace sluice {

//! Passes text on, except for an end that may become a stop string: that is held back until it is decided. The stop
//! string that is complete first ends the text, the longest if several are; neither it nor anything after it is passed
//! on. Each byte takes time in the number of stop strings (Knuth-Morris-Pratt, one state per string).
class StopStrings {
public:
    StopStrings() = default;  //!< none: passes everything on

    //! Refuses an empty stop string and one that is not UTF-8.
    static Expected<StopStrings> create(const std::vector<std::string>& stops) {
        StopStrings matcher;
        for (const std::string& stop : stops) {
            const auto refuse = [](std::string what) {
                return Status(Errc::invalid_argument, "stop string", std::move(what), "give text, or leave it out");
            };
            if (stop.empty()) return refuse("is empty");
            if (!utf8::is_valid(stop)) return refuse("is not valid UTF-8");
            matcher.patterns_.emplace_back(stop);
        }
        return matcher;
    }

    //! Appends to `out` what is known to be outside any stop string. True once a stop string has appeared.
    bool push(std::string_view text, std::string& out) {
        if (matched_) return true;
        const std::string_view held = longest_prefix();
        const auto emit = [&](std::size_t count) {  // the first `count` bytes of held + text
            out += held.substr(0, count);
            if (count > held.size()) out += text.substr(0, count - held.size());
        };
        for (std::size_t i = 0; i < text.size(); ++i) {
            for (std::size_t k = 0; k < patterns_.size(); ++k) {
                if (!patterns_[k].advance(text[i])) continue;
                if (!matched_ || patterns_[k].text.size() > patterns_[*matched_].text.size()) matched_ = k;
            }
            if (matched_) {
                emit(held.size() + i + 1 - patterns_[*matched_].text.size());
                return true;
            }
        }
        emit(held.size() + text.size() - longest_prefix().size());
        return false;
    }

    //! Ends the text: appends what was held back, unless a stop string has appeared. Ready for another text then.
    void flush(std::string& out) {
        if (!matched_) out += longest_prefix();
        for (Pattern& pattern : patterns_) pattern.matched = 0;
        matched_.reset();
    }

    //! Which stop string ended the text, by its number in create(); nothing so far if empty.
    std::optional<std::size_t> matched() const { return matched_; }

private:
    struct Pattern {
        explicit Pattern(std::string stop) : text(std::move(stop)), border(text.size(), 0) {
            for (std::size_t i = 1, length = 0; i < text.size(); ++i) {
                while (length > 0 && text[length] != text[i]) length = border[length - 1];
                border[i] = length += text[length] == text[i] ? 1 : 0;
            }
        }

        //! Takes one byte; true if the stop string is complete, after which nothing may be taken.
        bool advance(char byte) {
            while (matched > 0 && text[matched] != byte) matched = border[matched - 1];
            if (text[matched] == byte) ++matched;
            return matched == text.size();
        }

        std::string text;
        std::vector<std::size_t> border;  // of each prefix: its longest proper prefix that is also its suffix
        std::size_t matched = 0;          // how much of `text` the stream ends with
    };

    //! The longest end of the stream that begins a stop string, read from that string.
    std::string_view longest_prefix() const {
        const auto longest = std::max_element(patterns_.begin(), patterns_.end(),
                                              [](const Pattern& a, const Pattern& b) { return a.matched < b.matched; });
        return longest == patterns_.end() ? std::string_view()
                                          : std::string_view(longest->text).substr(0, longest->matched);
    }

    std::vector<Pattern> patterns_;
    std::optional<std::size_t> matched_;
};

}  // namespace sluice
