// SPDX-License-Identifier: Apache-2.0
#include "sluice/sink/json_lines.hpp"

#include <doctest/doctest.h>
#include <sstream>

#include "sluice/concepts/stream_sink.hpp"

using namespace sluice;

static_assert(StreamSink<JsonLinesSink>);

TEST_CASE("json_lines: one line a token, the stop token with an empty text") {
    std::ostringstream out;
    JsonLinesSink sink(out);
    CHECK(sink.on_token({.index = 0, .id = 123, .text = " fox"}) == Flow::go_on);
    CHECK(out.str() == "{\"index\":0,\"id\":123,\"text\":\" fox\"}\n");
    out.str("");
    CHECK(sink.on_token({.index = 1, .id = 9, .text = "\"\n"}) == Flow::go_on);
    CHECK(sink.on_token({.index = 2, .id = 151645, .is_stop = true}) == Flow::go_on);
    CHECK(out.str() == "{\"index\":1,\"id\":9,\"text\":\"\\\"\\n\"}\n{\"index\":2,\"id\":151645,\"text\":\"\"}\n");
}

TEST_CASE("json_lines: the last line has the reason, the usage and the timings") {
    std::ostringstream out;
    JsonLinesSink sink(out);
    sink.on_finish({.finish_reason = FinishReason::max_tokens,
                    .usage = {.prompt_tokens = 30, .completion_tokens = 8, .cached_tokens = 10},
                    .timings = {.prompt_ms = 40, .predicted_ms = 500.5}});
    CHECK(out.str() ==
          R"({"finish_reason":"length","usage":{"prompt_tokens":30,"completion_tokens":8,"total_tokens":38},)"
          R"("timings":{"prompt_ms":40,"predicted_ms":500.5,"prompt_per_second":500,)"
          R"("predicted_per_second":15.984015984015985}})"
          "\n");
}

TEST_CASE("json_lines: a rate without a time is 0, which JSON can say") {
    std::ostringstream out;
    JsonLinesSink sink(out);
    sink.on_finish({.finish_reason = FinishReason::stop_token, .usage = {.prompt_tokens = 3}, .timings = {}});
    CHECK(out.str() == R"({"finish_reason":"stop","usage":{"prompt_tokens":3,"completion_tokens":0,"total_tokens":3},)"
                       R"("timings":{"prompt_ms":0,"predicted_ms":0,"prompt_per_second":0,"predicted_per_second":0}})"
                       "\n");
}

TEST_CASE("json_lines: an error is a last line too, and a failed stream stops") {
    std::ostringstream out;
    JsonLinesSink sink(out);
    sink.on_error(Status(Errc::numeric, "logits[3]", "is NaN", "check \"x\""));
    CHECK(out.str() == "{\"error\":{\"message\":\"logits[3]: is NaN; check \\\"x\\\"\"}}\n");
    out.setstate(std::ios::failbit);
    CHECK(sink.on_token({}) == Flow::stop);
}
