// SPDX-License-Identifier: Apache-2.0
//! The laws of a server's handler of streamed answers, which leaves behind what writes the stream once it has returned.
//!
//!     TEST_CASE("my handler keeps the laws") { sluice::contracts::event_stream_laws("my handler", my_handler); }
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/sse_laws.hpp"
#include "sluice/contracts/stream_sink_laws.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/sink/channel.hpp"
#include "sluice/sink/sse.hpp"

namespace sluice::contracts {

//! Writes an answer to its client, to its end; false if the client has left before.
using StreamToClient = std::function<bool(const WriteToClient& write)>;
//! A handler of a request: the answer comes through the channel, whose other end generates until it is closed.
using HandleStream = std::function<StreamToClient(const std::shared_ptr<ChannelSink>& answer, const sse::Head& head)>;

namespace detail {

//! A handler with the generation of its answer, which goes on when the handler has returned.
class HandledAnswer {
public:
    explicit HandledAnswer(Case& c) : case_(c), events_(c) {}

    //! Some tokens before the handler, the others behind it. False if the answer was cancelled meanwhile.
    bool generate(const HandleStream& handle) {
        const auto before = case_.integer<std::size_t>(0, events_.size());
        case_.given("tokens before the handler", before);
        bool goes_on = true;
        for (std::size_t i = 0; i < before; ++i) goes_on = send(i) && goes_on;
        stream_ = handle(channel, {.id = "cmpl-1", .model = "m", .is_chat = false});
        for (std::size_t i = before; i < events_.size(); ++i) goes_on = send(i) && goes_on;
        return goes_on;
    }

    //! Writes to a client that leaves after `room` writes.
    bool write(std::size_t room) {
        const bool whole = stream_([&](std::string_view event) {
            if (written.size() < room) written.emplace_back(event);
            return written.size() < room;
        });
        stream_ = nullptr;
        return whole;
    }
    void write() { case_.expect(write(100'000), "it says that the client has left"); }

    std::string whole_text() const { return events_.text_of_first(events_.size()); }
    std::string text() const {
        std::string text;
        for (const ReadEvent& event : written) text += event.text();
        return text;
    }
    //! Of its tokens: a stop token without text has none.
    std::size_t events() const { return events_.size() - (events_.texts().back().empty() ? 1 : 0); }

    std::shared_ptr<ChannelSink> channel = std::make_shared<ChannelSink>(1000);
    std::vector<ReadEvent> written{};

private:
    bool send(std::size_t i) const { return events_.send(*channel, i) == Flow::go_on; }

    Case& case_;
    EventSource events_;
    StreamToClient stream_;
};

}  // namespace detail

inline std::vector<Law> event_stream_law_list(const HandleStream& handle) {
    using namespace detail;
    return {
        {"event_stream.outlives_its_handler",
         "An answer goes on when its handler has returned, and all of it reaches the client, with [DONE] behind.",
         [handle](Case& c) {
             HandledAnswer answer(c);
             c.expect(answer.generate(handle), "the answer is cancelled");
             answer.channel->on_finish({FinishReason::stop_token, {}, {}});
             answer.write();
             c.equal("text", answer.text(), answer.whole_text());
             c.expect(!answer.written.empty() && answer.written.back().is_done, "[DONE] is missing");
         }},
        {"event_stream.cancels_without_its_client", "An answer whose client has left is cancelled.",
         [handle](Case& c) {
             HandledAnswer answer(c);
             answer.generate(handle);
             if (answer.events() == 0) return;  // nothing by which to find out
             const auto room = c.integer<std::size_t>(0, answer.events() - 1);
             c.given("writes until the client leaves", room);
             c.expect(!answer.write(room), "it says that the client is there");
             c.expect(answer.channel->on_token({}) == Flow::stop, "the answer goes on");
         }},
        {"event_stream.tells_how_it_ended", "An answer that fails or is broken off ends with an error, without [DONE].",
         [handle](Case& c) {
             HandledAnswer answer(c);
             c.expect(answer.generate(handle), "the answer is cancelled");
             switch (c.integer(0, 2)) {
                 case 0:
                     answer.channel->on_error(Status(Errc::numeric, "logits", "are NaN"));
                     break;
                 case 1:
                     answer.channel->on_finish({FinishReason::cancelled, {}, {}});
                     break;
                 default:
                     answer.channel->close();
             }
             answer.write();
             c.equal("text", answer.text(), answer.whole_text());
             c.expect(answer.written.back().is_error(), "the last event is no error");
             for (const ReadEvent& event : answer.written) c.expect(!event.is_done, "there is [DONE]");
         }},
    };
}

//! Checks all laws of a handler, inside a doctest test case.
inline void event_stream_laws(std::string_view subject, const HandleStream& handle) {
    check_laws(subject, event_stream_law_list(handle));
}

}  // namespace sluice::contracts
