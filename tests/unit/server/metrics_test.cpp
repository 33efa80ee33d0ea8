// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/metrics.hpp"

#include <doctest/doctest.h>
#include <initializer_list>
#include <string>
#include <utility>

using namespace sluice::server;

TEST_CASE("metrics: a histogram counts each value in its bucket and all larger ones") {
    Histogram histogram;
    for (const double seconds : {0.001, 0.0011, 0.3, 100.0}) histogram.observe(seconds);
    std::string text;
    histogram.append(text, "wait", "How long.");
    CHECK(text.starts_with("# HELP wait How long.\n# TYPE wait histogram\nwait_bucket{le=\"0.001\"} 1\n"));
    CHECK(text.find("wait_bucket{le=\"0.0025\"} 2\n") != text.npos);
    CHECK(text.find("wait_bucket{le=\"0.25\"} 2\n") != text.npos);
    CHECK(text.find("wait_bucket{le=\"0.5\"} 3\n") != text.npos);
    CHECK(text.find("wait_bucket{le=\"30\"} 3\nwait_bucket{le=\"+Inf\"} 4\n") != text.npos);
    CHECK(text.ends_with("wait_count 4\n"));
}

TEST_CASE("metrics: every value has its line, with its help and its type") {
    const EngineState state{.slots = 1,
                            .busy_slots = 2,
                            .queued = 3,
                            .kv_positions = 4,
                            .kv_capacity = 5,
                            .requests = 6,
                            .finished = 7,
                            .cancelled = 8,
                            .failed = 9,
                            .prompt_tokens = 10,
                            .cached_tokens = 11,
                            .generated_tokens = 12};
    Latencies latencies;
    latencies.first_token.observe(0.5);
    for (int i = 0; i < 2; ++i) latencies.next_token.observe(0.25);
    const std::string text = metrics_text(state, latencies, 13);
    for (const auto& line : std::initializer_list<std::pair<std::string, int>>{{"slots", 1},
                                                                               {"slots_busy", 2},
                                                                               {"queue_depth", 3},
                                                                               {"kv_positions_used", 4},
                                                                               {"kv_positions", 5},
                                                                               {"requests_total", 6},
                                                                               {"requests_finished_total", 7},
                                                                               {"requests_cancelled_total", 8},
                                                                               {"requests_failed_total", 9},
                                                                               {"prompt_tokens_total", 10},
                                                                               {"cached_tokens_total", 11},
                                                                               {"generated_tokens_total", 12},
                                                                               {"connections_dropped_total", 13}}) {
        const auto& [name, value] = line;
        CAPTURE(line.first);
        const std::string type = name.ends_with("_total") ? "counter" : "gauge";
        CHECK(text.find("# HELP sluice_" + name + ' ') != text.npos);
        CHECK(text.find("\n# TYPE sluice_" + name + ' ' + type + "\nsluice_" + name + ' ' + std::to_string(value) +
                        '\n') != text.npos);
    }
    CHECK(text.find("\nsluice_time_to_first_token_seconds_count 1\n") != text.npos);
    CHECK(text.find("\nsluice_inter_token_seconds_sum 0.5\nsluice_inter_token_seconds_count 2\n") != text.npos);
}
