// SPDX-License-Identifier: Apache-2.0
#include "sluice/sink/notify.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace sluice;

TEST_CASE("notify: calls what the sink has, and only that") {
    struct Both {
        std::size_t tokens = 0;
        std::string error{};
        void on_finish(const GenerationResult& result) { tokens = result.usage.completion_tokens; }
        void on_error(const Status& status) { error = status.what(); }
    } both;
    notify_finish(both, {.usage = {.completion_tokens = 4}, .timings = {}});
    notify_error(both, Status(Errc::io, "", "broke"));
    CHECK(both.tokens == 4);
    CHECK(both.error == "broke");
    notify_outcome(both, GenerationResult{.usage = {.completion_tokens = 7}, .timings = {}});
    notify_outcome(both, Status(Errc::io, "", "broke again"));
    CHECK(both.tokens == 7);
    CHECK(both.error == "broke again");

    struct Neither {
    } neither;
    notify_finish(neither, {});
    notify_error(neither, Status(Errc::io, "", "broke"));
}
