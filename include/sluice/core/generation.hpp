// SPDX-License-Identifier: Apache-2.0
//! What a generation is asked for and what it reports: an event per token while it runs, a result when it ends.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/types.hpp"

namespace sluice {

//! What a generation is asked for, whatever its sampler.
struct GenerateOptions {
    std::size_t max_tokens = std::numeric_limits<std::size_t>::max();  //!< the stop token counts
    std::vector<std::string> stop{};                                   //!< texts that end the answer
    std::uint64_t seed = 0;                                            //!< the same seed gives the same tokens
    bool ignore_stop_tokens = false;                                   //!< go on to max_tokens
    const std::atomic<bool>* cancel = nullptr;                         //!< set it to end the generation soon; a sink
                                                                       //!< that waits must be told by its own means
    std::size_t max_draft = std::numeric_limits<std::size_t>::max();   //!< guesses per forward pass; 0: none
};

//! A sink's answer to an event: carry on, or end the generation after this token.
enum class Flow { go_on, stop };

//! A token with the natural logarithm of its probability.
struct TokenLogprob {
    Token id = 0;
    float logprob = 0;
    std::string_view bytes{};  //!< the tokenizer's own: not always whole code points
};

//! One sampled token, handed over before the next forward pass is computed.
struct TokenEvent {
    std::size_t index = 0;    //!< 0-based number of the sampled token
    Token id = 0;             //!< the token itself, stop tokens included
    std::string_view text{};  //!< what may be shown now: whole UTF-8 code points, stop strings held back; may be empty
    bool is_stop = false;     //!< a stop token, which has no text itself: `text` is what was held back before it
    std::span<const TokenLogprob> logprobs{};  //!< of this token, then of the likeliest ones; empty unless asked for
};

//! Why a generation ended.
enum class FinishReason {
    stop_token,    //!< the model sampled one of the stop tokens
    stop_string,   //!< a stop string appeared in the text
    max_tokens,    //!< the caller's budget is used up
    context_full,  //!< the context has no room for another token
    cancelled,     //!< the sink or the caller asked to stop; text held back until then is not shown
};

//! OpenAI's word for a reason, "stop" or "length"; and "cancelled", for which it has none.
constexpr std::string_view openai_name(FinishReason reason) {
    switch (reason) {
        case FinishReason::stop_token:
        case FinishReason::stop_string:
            return "stop";
        case FinishReason::max_tokens:
        case FinishReason::context_full:
            return "length";
        case FinishReason::cancelled:
            break;
    }
    return "cancelled";
}

//! Tokens counted. completion_tokens includes the stop token; cached_tokens are prompt tokens whose keys and values
//! were already in the cache.
struct Usage {
    std::size_t prompt_tokens = 0;
    std::size_t completion_tokens = 0;
    std::size_t cached_tokens = 0;

    std::size_t total_tokens() const { return prompt_tokens + completion_tokens; }

    //! Counts another answer to the same prompt, which is counted once.
    void add_choice(const Usage& other) {
        prompt_tokens = other.prompt_tokens;
        cached_tokens = other.cached_tokens;
        completion_tokens += other.completion_tokens;
    }
};

//! Wall-clock milliseconds: the prompt's forward passes, then everything from the first sampled token on.
struct Timings {
    double prompt_ms = 0;
    double predicted_ms = 0;
};

//! Guesses of a drafter: the rows of forward passes they took, and the forward passes they saved.
struct DraftCounts {
    std::size_t drafted = 0;
    std::size_t accepted = 0;
};

//! How a generation ended.
struct GenerationResult {
    FinishReason finish_reason = FinishReason::max_tokens;
    Usage usage;
    Timings timings;
    DraftCounts drafts{};
};

}  // namespace sluice
