// SPDX-License-Identifier: Apache-2.0
//! A bounded channel that carries tokens from the generating thread to another one.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"

namespace sluice {

//! A TokenEvent that owns its text.
struct OwnedTokenEvent {
    std::size_t index = 0;
    Token id = 0;
    std::string text{};
    bool is_stop = false;
    std::vector<TokenLogprob> logprobs{};

    TokenEvent view() const { return {index, id, text, is_stop, logprobs}; }
};

//! The generating thread uses the channel as its StreamSink; the reading thread calls pop() until it is empty-handed
//! and then outcome(). A full channel makes the generation wait for the reader. Either side may close() it at any time:
//! the reader to stop the generation after its current token, the writer to end without an outcome (what was sent can
//! still be read). The channel must outlive both sides' calls.
class ChannelSink {
public:
    //! What a channel's two threads meet at. Channels that share one can be waited for together.
    struct Monitor {
        std::mutex mutex;
        std::condition_variable changed;  // an event came or went, or a channel was closed
    };

    //! Holds at most `capacity` unread events, at least one.
    explicit ChannelSink(std::size_t capacity, std::shared_ptr<Monitor> monitor = std::make_shared<Monitor>())
        : capacity_(std::max<std::size_t>(capacity, 1)), monitor_(std::move(monitor)) {}
    ChannelSink(const ChannelSink&) = delete;
    ChannelSink& operator=(const ChannelSink&) = delete;

    // ---- the generating thread ----

    Flow on_token(const TokenEvent& event) {
        std::unique_lock lock(monitor_->mutex);
        monitor_->changed.wait(lock, [&] { return closed_ || events_.size() < capacity_; });
        if (closed_) return Flow::stop;
        events_.push_back({event.index,
                           event.id,
                           std::string(event.text),
                           event.is_stop,
                           {event.logprobs.begin(), event.logprobs.end()}});
        monitor_->changed.notify_all();
        return Flow::go_on;
    }
    void on_finish(const GenerationResult& result) { end(result); }
    void on_error(const Status& error) { end(error); }

    // ---- the reading thread ----

    //! The next event; waits for one. Nothing once the channel is closed and read to its end.
    std::optional<OwnedTokenEvent> pop() {
        std::unique_lock lock(monitor_->mutex);
        monitor_->changed.wait(lock, [&] { return is_ready(); });
        if (events_.empty()) return std::nullopt;
        OwnedTokenEvent event = std::move(events_.front());
        events_.pop_front();
        monitor_->changed.notify_all();
        return event;
    }

    //! Waits until pop() would not wait, `patience` at most. False if it still would.
    bool wait_for(std::chrono::milliseconds patience) {
        ChannelSink* const self = this;
        return wait_for_any({&self, 1}, patience);
    }

    //! The same for several channels, at least one, that share a monitor: waits until one of them is ready.
    static bool wait_for_any(std::span<ChannelSink* const> channels, std::chrono::milliseconds patience) {
        Monitor& monitor = *channels.front()->monitor_;
        std::unique_lock lock(monitor.mutex);
        const auto is_ready = [](const ChannelSink* channel) { return channel->is_ready(); };
        return monitor.changed.wait_for(lock, patience,
                                        [&] { return std::any_of(channels.begin(), channels.end(), is_ready); });
    }

    //! Whether pop() has nothing to give any more.
    bool drained() const {
        const std::lock_guard lock(monitor_->mutex);
        return closed_ && events_.empty();
    }

    //! How the generation ended; nothing while it runs, or when it never said so before close().
    std::optional<Expected<GenerationResult>> outcome() const {
        const std::lock_guard lock(monitor_->mutex);
        return outcome_;
    }

    // ---- either ----

    bool closed() const {
        const std::lock_guard lock(monitor_->mutex);
        return closed_;
    }

    void close() {
        const std::lock_guard lock(monitor_->mutex);
        closed_ = true;
        monitor_->changed.notify_all();
    }

private:
    bool is_ready() const { return closed_ || !events_.empty(); }

    void end(Expected<GenerationResult> outcome) {
        const std::lock_guard lock(monitor_->mutex);
        outcome_ = std::move(outcome);
        closed_ = true;
        monitor_->changed.notify_all();
    }

    const std::size_t capacity_;
    const std::shared_ptr<Monitor> monitor_;  // guards what follows
    std::deque<OwnedTokenEvent> events_;
    std::optional<Expected<GenerationResult>> outcome_;
    bool closed_ = false;
};

}  // namespace sluice
