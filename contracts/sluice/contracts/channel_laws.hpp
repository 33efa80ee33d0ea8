// SPDX-License-Identifier: Apache-2.0
//! The laws of a channel that carries events from the generating thread to another one.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/stream_sink_laws.hpp"
#include "sluice/core/generation.hpp"

namespace sluice::contracts {

//! Of a Channel(capacity) with the members of ChannelSink. A thread writes in each case.
template <StreamSink Channel>
std::vector<Law> channel_law_list() {
    using namespace detail;
    return {
        {"channel.first_in_first_out", "The reading thread gets every event once, in order, with its text.",
         [](Case& c) {
             const EventSource events(c);
             Channel channel(c.integer<std::size_t>(1, 4));
             std::thread writer([&] {
                 for (std::size_t i = 0; i < events.size(); ++i) events.send(channel, i);
                 channel.on_finish({});
             });
             std::vector<std::string> texts;
             std::vector<Token> ids;
             while (const auto event = channel.pop()) {
                 texts.push_back(event->text);
                 ids.push_back(event->id);
             }
             writer.join();
             c.equal("texts", texts, events.texts());
             c.equal("tokens", ids, events.ids());
             c.expect(channel.outcome().has_value() && channel.outcome()->ok(), "the outcome is lost");
         }},
        {"channel.bounded", "The writer is never further ahead of the reader than the capacity.",
         [](Case& c) {
             const EventSource events(c);
             const auto capacity = c.integer<std::size_t>(1, 3);
             c.given("capacity", capacity);
             Channel channel(capacity);
             std::atomic<std::size_t> sent = 0;
             std::thread writer([&] {
                 for (std::size_t i = 0; i < events.size(); ++i) {
                     events.send(channel, i);
                     ++sent;
                 }
                 channel.close();
             });
             std::size_t read = 0, most_ahead = 0;
             do {
                 std::this_thread::sleep_for(std::chrono::microseconds(200));  // lets a writer run ahead that can
                 most_ahead = std::max(most_ahead, std::max(sent.load(), read) - read);
                 ++read;
             } while (channel.pop());
             writer.join();
             c.between<std::size_t>("events ahead of the reader", most_ahead, 0, capacity);
         }},
        {"channel.close_stops_the_writer", "After close() the writer is told to stop, also if it waits for room.",
         [](Case& c) {
             const EventSource events(c);
             Channel channel(1);
             std::atomic<bool> stopped = false;
             std::thread writer([&] {
                 for (std::size_t i = 0; i < events.size() && !stopped; ++i) {
                     stopped = events.send(channel, i) == Flow::stop;
                 }
                 if (!stopped) stopped = events.send(channel, 0) == Flow::stop;
             });
             if (c.chance(0.5)) std::this_thread::sleep_for(std::chrono::microseconds(100));
             channel.close();
             writer.join();
             c.expect(events.send(channel, 0) == Flow::stop, "a closed channel takes events");
         }},
        {"channel.read_to_its_end", "What was sent before the end can still be read, and the outcome after it.",
         [](Case& c) {
             const EventSource events(c);
             Channel channel(events.size());
             for (std::size_t i = 0; i < events.size(); ++i) events.send(channel, i);
             const int end = c.integer(0, 2);
             if (end == 0) channel.close();
             if (end == 1) channel.on_finish({FinishReason::stop_string, {}, {}});
             if (end == 2) channel.on_error(Status(Errc::numeric, "logits", "are NaN"));
             std::vector<std::string> texts;
             while (const auto event = channel.pop()) texts.push_back(event->text);
             c.equal("texts", texts, events.texts());
             const auto outcome = channel.outcome();
             c.equal("there is an outcome", outcome.has_value(), end != 0);
             if (outcome) c.equal("it is a result", outcome->ok(), end == 1);
         }},
    };
}

template <StreamSink Channel>
void channel_laws(std::string_view subject) {
    check_laws(subject, channel_law_list<Channel>());
}

}  // namespace sluice::contracts
