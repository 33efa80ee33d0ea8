// SPDX-License-Identifier: Apache-2.0
//! OpenAI's `logprobs` objects: the newer form of chats and the older one of plain completions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/core/generation.hpp"
#include "sluice/core/json_text.hpp"
#include "sluice/core/utf8.hpp"

namespace sluice {

//! Collects tokens and gives them out as JSON, one at a time for a stream or all together.
class LogprobsJson {
public:
    explicit LogprobsJson(bool is_chat) : is_chat_(is_chat) {}

    //! Takes the next token, unless it is a stop token or was not asked for.
    void add(const TokenEvent& event) {
        if (!event.logprobs.empty() && !event.is_stop) is_chat_ ? add_chat(event) : add_plain(event);
        for (const char c : event.text) characters_ += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
    }

    //! The tokens since the last call: {"content":[{"token":...,"logprob":...,"bytes":[...],"top_logprobs":[...]}]}, or
    //! {"tokens":[...],"token_logprobs":[...],"top_logprobs":[{token: logprob}],"text_offset":[...]}. "null" if there
    //! are none. A token that is not UTF-8 is named by its bytes, as in "bytes:\xe2\x82"; a text_offset counts the
    //! characters that the answer had when the token came.
    std::string take() {
        if (tokens_.empty()) return "null";
        std::string json = is_chat_ ? "{\"content\":[" + tokens_
                                    : "{\"tokens\":[" + tokens_ + "],\"token_logprobs\":[" + logprobs_ +
                                          "],\"top_logprobs\":[" + tops_ + "],\"text_offset\":[" + offsets_;
        for (std::string* list : {&tokens_, &logprobs_, &tops_, &offsets_}) list->clear();
        return json += "]}";
    }

private:
    static void separate(std::string& list) {
        if (!list.empty() && list.back() != '[' && list.back() != '{') list += ',';
    }

    static void append_token(std::string& json, std::string_view bytes) {
        if (utf8::is_valid(bytes)) return append_json_string(json, bytes);
        constexpr std::string_view hex = "0123456789abcdef";
        json += "\"bytes:";
        for (const char c : bytes) {
            const auto byte = static_cast<unsigned char>(c);
            json.append("\\\\x").append(1, hex[byte / 16U]).append(1, hex[byte % 16U]);
        }
        json += '"';
    }

    //! {"token":...,"logprob":...,"bytes":[...], without its end.
    static void append_entry(std::string& json, const TokenLogprob& token) {
        separate(json);
        json += "{\"token\":";
        append_token(json, token.bytes);
        json += ",\"logprob\":";
        append_json_number(json, token.logprob);
        json += ",\"bytes\":[";
        for (const char c : token.bytes) {
            separate(json);
            append_json_number(json, int{static_cast<unsigned char>(c)});
        }
        json += ']';
    }

    void add_chat(const TokenEvent& event) {
        append_entry(tokens_, event.logprobs.front());
        tokens_ += ",\"top_logprobs\":[";
        for (const TokenLogprob& token : event.logprobs.subspan(1)) {
            append_entry(tokens_, token);
            tokens_ += '}';
        }
        tokens_ += "]}";
    }

    void add_plain(const TokenEvent& event) {
        const TokenLogprob& sampled = event.logprobs.front();
        for (std::string* list : {&tokens_, &logprobs_, &tops_, &offsets_}) separate(*list);
        append_token(tokens_, sampled.bytes);
        append_json_number(logprobs_, sampled.logprob);
        append_json_number(offsets_, characters_);
        tops_ += '{';
        bool among_top = false;
        const auto append_top = [&](const TokenLogprob& token) {
            separate(tops_);
            append_token(tops_, token.bytes);
            tops_ += ':';
            append_json_number(tops_, token.logprob);
            among_top |= token.id == sampled.id;
        };
        for (const TokenLogprob& token : event.logprobs.subspan(1)) append_top(token);
        if (!among_top) append_top(sampled);
        tops_ += '}';
    }

    bool is_chat_;
    std::size_t characters_ = 0;  // of the answer's text so far
    std::string tokens_, logprobs_, tops_, offsets_;
};

}  // namespace sluice
