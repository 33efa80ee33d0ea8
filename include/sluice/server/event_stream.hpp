// SPDX-License-Identifier: Apache-2.0
//! One request's answers on their way from a session to the client, as server-sent events.
#pragma once

#include <chrono>
#include <cstddef>
#include <httplib.h>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/server/session.hpp"
#include "sluice/sink/sse.hpp"

namespace sluice::server {

//! What httplib calls to write the events, once the handler has returned. It shares the session, at whose end the
//! answers are cancelled: a handler that kept the session to itself would leave every stream empty. `keep_alive`: a
//! client that gets nothing for so long gets a comment.
inline httplib::ContentProviderWithoutLength event_stream(std::shared_ptr<Session> session, sse::Head head,
                                                          std::chrono::milliseconds keep_alive) {
    return [session = std::move(session), head = std::move(head), keep_alive](std::size_t, httplib::DataSink& out) {
        SseStream stream(head, [&out](std::string_view text) { return out.write(text.data(), text.size()); });
        std::vector<SseSink<decltype(stream)>> choices;
        for (std::size_t i = 0; i < head.choices; ++i) choices.emplace_back(stream, i);
        const bool whole = session->run(choices, out.is_writable, keep_alive, [&] { stream.write(sse::keep_alive); });
        if (whole) out.done();
        return whole;
    };
}

}  // namespace sluice::server
