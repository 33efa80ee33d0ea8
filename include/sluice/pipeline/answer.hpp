// SPDX-License-Identifier: Apache-2.0
//! From the sampled tokens of one answer to the text that may be shown, and the answer's end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/concepts/tokenizer.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/text/stop_strings.hpp"
#include "sluice/text/visible_text.hpp"
#include "sluice/text/vocabulary.hpp"

namespace sluice {

//! One answer as it grows.
class Answer {
public:
    //! `room`: how many tokens the context can still take. Error: a stop string that StopStrings refuses.
    static Expected<Answer> create(const GenerateOptions& options, std::size_t room) {
        SLUICE_ASSIGN(StopStrings stops, StopStrings::create(options.stop));
        return Answer(std::move(stops), options, room);
    }

    //! Adds a token, unless the answer has ended. The event's text is valid until the next call.
    template <Tokenizer T>
    TokenEvent add(const Vocabulary<T>& vocabulary, Token token) {
        const bool is_stop = !ignore_stop_tokens_ &&
                             std::binary_search(vocabulary.stop_tokens.begin(), vocabulary.stop_tokens.end(), token);
        const std::string_view piece = vocabulary.tokenizer.is_control(token) ? "" : vocabulary.tokenizer.piece(token);
        text_.clear();
        if (is_stop) {
            end_ = FinishReason::stop_token;
        } else if (visible_.push(piece, text_)) {
            end_ = FinishReason::stop_string;
        } else if (tokens_ + 1 == budget_) {
            end_ = limit_;
        }
        if (end_ && *end_ != FinishReason::stop_string && visible_.finish(text_) && !is_stop) {
            end_ = FinishReason::stop_string;
        }
        return {tokens_++, token, text_, is_stop};
    }

    //! Ends the answer, if it has not ended by itself.
    void cancel() {
        if (!end_) end_ = FinishReason::cancelled;
    }

    std::size_t tokens() const { return tokens_; }          //!< so far, the stop token included
    std::size_t left() const { return budget_ - tokens_; }  //!< that it may still get
    const std::optional<FinishReason>& end() const { return end_; }

private:
    Answer(StopStrings stops, const GenerateOptions& options, std::size_t room)
        : visible_(std::move(stops)),
          budget_(std::min(options.max_tokens, room)),
          limit_(options.max_tokens <= room ? FinishReason::max_tokens : FinishReason::context_full),
          ignore_stop_tokens_(options.ignore_stop_tokens) {
        if (budget_ == 0) end_ = limit_;
    }

    VisibleText visible_;
    std::size_t budget_;
    FinishReason limit_;  // why the budget is not larger
    bool ignore_stop_tokens_;
    std::size_t tokens_ = 0;
    std::string text_;
    std::optional<FinishReason> end_;
};

}  // namespace sluice
