// SPDX-License-Identifier: Apache-2.0
//! What a server has done, in Prometheus' text format (version 0.0.4).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "sluice/core/to_text.hpp"
#include "sluice/server/engine.hpp"

namespace sluice::server {

//! Durations in seconds, counted in fixed buckets. Any thread may call.
class Histogram {
public:
    void observe(double seconds) {
        const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin();
        const std::lock_guard lock(mutex_);
        ++counts_[static_cast<std::size_t>(bucket)];
        sum_ += seconds;
    }

    void append(std::string& out, const std::string& name, std::string_view help) const {
        const std::lock_guard lock(mutex_);
        out += "# HELP " + name + ' ';
        out += help;
        out += "\n# TYPE " + name + " histogram\n";
        std::uint64_t below = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            below += counts_[i];
            const std::string bound = i < bounds.size() ? to_text(bounds[i]) : "+Inf";
            out.append(name).append("_bucket{le=\"").append(bound).append("\"} ").append(to_text(below)).append("\n");
        }
        out += name + "_sum " + to_text(sum_) + '\n' + name + "_count " + to_text(below) + '\n';
    }

private:
    static constexpr std::array bounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                          0.25,  0.5,    1.0,   2.5,  5.0,   10.0, 30.0};
    mutable std::mutex mutex_;
    std::array<std::uint64_t, bounds.size() + 1> counts_{};
    double sum_ = 0;
};

//! Times as clients see them.
struct Latencies {
    Histogram first_token;  //!< from the request to its first token
    Histogram next_token;   //!< between two tokens of an answer
};

inline std::string metrics_text(const EngineState& state, const Latencies& latencies,
                                std::uint64_t connections_dropped) {
    std::string out;
    const auto add = [&](const std::string& name, const char* type, const char* help, auto value) {
        out += "# HELP sluice_" + name + ' ' + help + "\n# TYPE sluice_" + name + ' ' + type + "\nsluice_" + name +
               ' ' + to_text(value) + '\n';
    };
    add("requests_total", "counter", "Requests accepted.", state.requests);
    add("requests_finished_total", "counter", "Answers that came to their end.", state.finished);
    add("requests_cancelled_total", "counter", "Answers that were cancelled.", state.cancelled);
    add("requests_failed_total", "counter", "Answers that ended with an error.", state.failed);
    add("prompt_tokens_total", "counter", "Tokens of prompts, cached ones too.", state.prompt_tokens);
    add("cached_tokens_total", "counter", "Tokens of prompts that a slot's cache held.", state.cached_tokens);
    add("generated_tokens_total", "counter", "Tokens sampled.", state.generated_tokens);
    add("connections_dropped_total", "counter", "Connections closed for others to come.", connections_dropped);
    add("slots", "gauge", "Answers that can run at once.", state.slots);
    add("slots_busy", "gauge", "Answers that run now.", state.busy_slots);
    add("queue_depth", "gauge", "Requests that wait for a slot.", state.queued);
    add("kv_positions_used", "gauge", "Positions of the cache that hold a token.", state.kv_positions);
    add("kv_positions", "gauge", "Positions of the cache.", state.kv_capacity);
    latencies.first_token.append(out, "sluice_time_to_first_token_seconds", "From the request to its first token.");
    latencies.next_token.append(out, "sluice_inter_token_seconds", "Between two tokens of an answer.");
    return out;
}

}  // namespace sluice::server
