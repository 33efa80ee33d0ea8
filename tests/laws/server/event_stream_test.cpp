// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/event_stream.hpp"

#include <chrono>
#include <cstddef>
#include <httplib.h>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/event_stream_laws.hpp"
#include "sluice/contracts/mutants/event_stream_mutants.hpp"
#include "sluice/server/metrics.hpp"
#include "sluice/server/session.hpp"

using namespace sluice;
using namespace sluice::contracts;

namespace {

//! What server::Service does with a streamed answer, and httplib once that has returned.
StreamToClient handle(const std::shared_ptr<ChannelSink>& answer, const sse::Head& head) {
    static server::Latencies latencies;
    const auto session =
        std::make_shared<server::Session>(std::vector{answer}, server::Session::Clock::now(), latencies);
    const auto provide = server::event_stream(session, head, std::chrono::seconds(10));
    return [provide](const WriteToClient& write) {
        bool is_there = true;
        httplib::DataSink out;
        out.write = [&](const char* text, std::size_t size) {
            return is_there = is_there && write(std::string_view(text, size));
        };
        out.is_writable = [&] { return is_there; };
        out.done = [] {};
        return provide(0, out);
    };
}

}  // namespace

TEST_CASE("event stream laws") { event_stream_laws("server::event_stream", handle); }
TEST_CASE("event stream mutants: each is caught by its law") { check_mutants(event_stream_mutants(handle)); }
