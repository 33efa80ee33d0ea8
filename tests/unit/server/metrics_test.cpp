// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/metrics.hpp"

#include <doctest/doctest.h>
#include <string>

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

TEST_CASE("metrics: every value has its line") {
    EngineState state;
    state.busy_slots = 3;
    state.queued = 7;
    const std::string text = metrics_text(state, Latencies(), 5);
    CHECK(text.find("\nsluice_slots_busy 3\n") != text.npos);
    CHECK(text.find("\nsluice_queue_depth 7\n") != text.npos);
    CHECK(text.find("\nsluice_connections_dropped_total 5\n") != text.npos);
    CHECK(text.find("\nsluice_inter_token_seconds_count 0\n") != text.npos);
}
