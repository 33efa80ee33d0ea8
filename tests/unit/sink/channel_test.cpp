// SPDX-License-Identifier: Apache-2.0
#include "sluice/sink/channel.hpp"

#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <thread>

#include "sluice/concepts/stream_sink.hpp"

using namespace sluice;

static_assert(StreamSink<ChannelSink>);

TEST_CASE("channel: carries every event in order with its own copy of the text, then the outcome") {
    constexpr std::size_t tokens = 2000;
    for (const std::size_t capacity : {0U, 1U, 3U, 5000U}) {
        ChannelSink channel(capacity);
        std::thread producer([&] {
            std::string text;
            for (std::size_t i = 0; i < tokens; ++i) {
                text = "token " + std::to_string(i);  // overwrites what the last event pointed to
                if (channel.on_token({i, static_cast<Token>(i * 7), text, i + 1 == tokens}) == Flow::stop) return;
            }
            channel.on_finish({.usage = {.completion_tokens = tokens}, .timings = {}});
        });
        std::size_t count = 0, wrong = 0;
        while (const auto event = channel.pop()) {
            wrong += event->index != count || event->id != static_cast<Token>(count * 7) ||
                     event->text != "token " + std::to_string(count) || event->is_stop != (count + 1 == tokens);
            ++count;
        }
        producer.join();
        CHECK(count == tokens);
        CHECK(wrong == 0);
        const auto outcome = channel.outcome();
        REQUIRE(outcome.has_value());
        REQUIRE(outcome->ok());
        CHECK((*outcome)->usage.completion_tokens == tokens);
    }
}

TEST_CASE("channel: a full channel makes the producer wait for the reader") {
    ChannelSink channel(2);
    std::atomic<int> sent{0};
    std::thread producer([&] {
        for (int i = 0; i < 5; ++i) {
            channel.on_token({});
            ++sent;
        }
        channel.close();
    });
    while (sent < 2) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // time in which a faulty producer would run on
    CHECK(sent == 2);
    int received = 0;
    while (channel.pop()) {
        ++received;
        CHECK(sent <= received + 2);
    }
    producer.join();
    CHECK(received == 5);
    CHECK_FALSE(channel.outcome().has_value());
}

TEST_CASE("channel: a reader that closes frees a waiting producer, and stops it") {
    ChannelSink channel(1);
    std::atomic<int> sent{0};
    std::thread producer([&] {
        while (channel.on_token({}) == Flow::go_on) ++sent;
        channel.on_finish({.finish_reason = FinishReason::cancelled, .usage = {}, .timings = {}});
    });
    REQUIRE(channel.pop().has_value());
    while (sent < 2) std::this_thread::yield();  // the next one waits for room
    channel.close();
    producer.join();
    CHECK(sent == 2);
    CHECK(channel.outcome().value()->finish_reason == FinishReason::cancelled);
    CHECK(channel.pop().has_value());  // what was sent can still be read
    CHECK_FALSE(channel.pop().has_value());
}

TEST_CASE("channel: a producer that closes or fails frees a waiting reader") {
    ChannelSink closed(4), failed(4);
    std::thread producer([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        closed.close();
        failed.on_error(Status(Errc::numeric, "logits[0]", "is NaN"));
    });
    CHECK_FALSE(closed.pop().has_value());
    CHECK_FALSE(failed.pop().has_value());
    producer.join();
    CHECK_FALSE(closed.outcome().has_value());
    CHECK(failed.outcome().value().status().what() == "is NaN");
}

TEST_CASE("channel: waiting ends with an event, with the end, or with patience") {
    using std::chrono::milliseconds;
    ChannelSink channel(4);
    CHECK_FALSE(channel.wait_for(milliseconds(1)));
    CHECK_FALSE(channel.closed());
    channel.on_token({});
    CHECK(channel.wait_for(milliseconds(60'000)));
    CHECK(channel.pop().has_value());
    CHECK_FALSE(channel.wait_for(milliseconds(1)));
    std::thread producer([&] { channel.close(); });
    CHECK(channel.wait_for(milliseconds(60'000)));
    producer.join();
    CHECK(channel.closed());
    CHECK_FALSE(channel.pop().has_value());
}

TEST_CASE("channel: several can be waited for together") {
    using std::chrono::milliseconds;
    const auto monitor = std::make_shared<ChannelSink::Monitor>();
    ChannelSink first(4, monitor), second(4, monitor);
    ChannelSink* const both[] = {&first, &second};
    CHECK_FALSE(ChannelSink::wait_for_any(both, milliseconds(1)));
    for (ChannelSink* const channel : both) {
        std::thread producer([&] { channel->on_token({.id = 7, .text = "a"}); });
        CHECK(ChannelSink::wait_for_any(both, milliseconds(60'000)));
        producer.join();
        CHECK(channel->wait_for(milliseconds(0)));
        CHECK_FALSE(both[channel == &first ? 1 : 0]->wait_for(milliseconds(0)));
        CHECK(channel->pop()->id == 7);
    }
    second.on_token({});
    second.close();
    CHECK_FALSE(second.drained());  // what was sent can still be read
    CHECK(second.pop().has_value());
    CHECK(second.drained());
    CHECK_FALSE(first.drained());
    CHECK(ChannelSink::wait_for_any(both, milliseconds(60'000)));
}
