// SPDX-License-Identifier: Apache-2.0
//! A bounded channel that carries tokens from the generating thread to another one.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

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
};

//! The generating thread uses the channel as its StreamSink; the reading thread calls pop() until it is empty-handed
//! and then outcome(). A full channel makes the generation wait for the reader. Either side may close() it at any time:
//! the reader to stop the generation after its current token, the writer to end without an outcome (what was sent can
//! still be read). The channel must outlive both sides' calls.
class ChannelSink {
public:
    //! Holds at most `capacity` unread events, at least one.
    explicit ChannelSink(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}
    ChannelSink(const ChannelSink&) = delete;
    ChannelSink& operator=(const ChannelSink&) = delete;

    // ---- the generating thread ----

    Flow on_token(const TokenEvent& event) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return closed_ || events_.size() < capacity_; });
        if (closed_) return Flow::stop;
        events_.push_back({event.index, event.id, std::string(event.text), event.is_stop});
        changed_.notify_all();
        return Flow::go_on;
    }
    void on_finish(const GenerationResult& result) { end(result); }
    void on_error(const Status& error) { end(error); }

    // ---- the reading thread ----

    //! The next event; waits for one. Nothing once the channel is closed and read to its end.
    std::optional<OwnedTokenEvent> pop() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return closed_ || !events_.empty(); });
        if (events_.empty()) return std::nullopt;
        OwnedTokenEvent event = std::move(events_.front());
        events_.pop_front();
        changed_.notify_all();
        return event;
    }

    //! Waits until pop() would not wait, `patience` at most. False if it still would.
    bool wait_for(std::chrono::milliseconds patience) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] { return closed_ || !events_.empty(); });
    }

    //! How the generation ended; nothing while it runs, or when it never said so before close().
    std::optional<Expected<GenerationResult>> outcome() const {
        const std::lock_guard lock(mutex_);
        return outcome_;
    }

    // ---- either ----

    bool closed() const {
        const std::lock_guard lock(mutex_);
        return closed_;
    }

    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        changed_.notify_all();
    }

private:
    void end(Expected<GenerationResult> outcome) {
        const std::lock_guard lock(mutex_);
        outcome_ = std::move(outcome);
        closed_ = true;
        changed_.notify_all();
    }

    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;  // an event came or went, or the channel was closed
    std::deque<OwnedTokenEvent> events_;
    std::optional<Expected<GenerationResult>> outcome_;
    bool closed_ = false;
};

}  // namespace sluice
