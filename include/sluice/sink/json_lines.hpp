// SPDX-License-Identifier: Apache-2.0
//! A sink that writes one JSON object per line: one per token, then one for the result.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

#include "sluice/core/generation.hpp"
#include "sluice/core/json_text.hpp"
#include "sluice/core/status.hpp"

namespace sluice {

//! {"index":0,"id":123,"text":" fox"} for each token, and last
//! {"finish_reason":"stop","usage":{...},"timings":{...}} or {"error":{"message":"..."}}. A token of the prompt that
//! was in the cache counts as a prompt token but not in prompt_per_second. A stream that fails stops the generation.
class JsonLinesSink {
public:
    explicit JsonLinesSink(std::ostream& out) : out_(&out) {}

    Flow on_token(const TokenEvent& event) {
        number("{\"index\":", event.index);
        number(",\"id\":", event.id);
        string(",\"text\":", event.text);
        line_ += '}';
        return write_line();
    }

    void on_finish(const GenerationResult& result) {
        const auto& [prompt_ms, predicted_ms] = result.timings;
        const Usage& usage = result.usage;
        string("{\"finish_reason\":", openai_name(result.finish_reason));
        number(",\"usage\":{\"prompt_tokens\":", usage.prompt_tokens);
        number(",\"completion_tokens\":", usage.completion_tokens);
        number(",\"total_tokens\":", usage.total_tokens());
        number("},\"timings\":{\"prompt_ms\":", prompt_ms);
        number(",\"predicted_ms\":", predicted_ms);
        number(",\"prompt_per_second\":", per_second(usage.prompt_tokens - usage.cached_tokens, prompt_ms));
        number(",\"predicted_per_second\":", per_second(usage.completion_tokens, predicted_ms));
        line_ += "}}";
        write_line();
    }

    void on_error(const Status& error) {
        string("{\"error\":{\"message\":", error.message());
        line_ += "}}";
        write_line();
    }

private:
    static double per_second(std::size_t tokens, double ms) {
        return ms > 0.0 ? static_cast<double>(tokens) * 1000.0 / ms : 0.0;
    }

    template <class Number>
    void number(std::string_view before, Number value) {
        line_ += before;
        append_json_number(line_, value);
    }
    void string(std::string_view before, std::string_view value) {
        line_ += before;
        append_json_string(line_, value);
    }

    Flow write_line() {
        line_ += '\n';
        *out_ << line_ << std::flush;
        line_.clear();
        return out_->good() ? Flow::go_on : Flow::stop;
    }

    std::ostream* out_;
    std::string line_;
};

}  // namespace sluice
