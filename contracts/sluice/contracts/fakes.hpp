// SPDX-License-Identifier: Apache-2.0
//! Stand-ins for policies, for tests that look at how one is used.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/executor.hpp"
#include "sluice/concepts/router.hpp"
#include "sluice/concepts/stream_sink.hpp"
#include "sluice/concepts/tokenizer.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"

namespace sluice::contracts {

//! Any sink, for code that is not compiled anew for each.
class AnySink {
public:
    virtual Flow on_token(const TokenEvent& event) = 0;
    virtual void on_finish(const GenerationResult&) {}
    virtual void on_error(const Status&) {}

protected:
    ~AnySink() = default;
};

//! A sink that keeps all it is told, and answers stop to event number `stop_at`.
struct RecordingSink : AnySink {
    static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

    explicit RecordingSink(std::size_t stop = never) : stop_at(stop) {}

    std::size_t stop_at;
    std::vector<std::size_t> indices{};
    std::vector<Token> ids{};
    std::vector<bool> stops{};
    std::vector<std::string> texts{};
    std::vector<GenerationResult> results{};
    std::vector<std::string> errors{};

    Flow on_token(const TokenEvent& event) override {
        indices.push_back(event.index);
        ids.push_back(event.id);
        stops.push_back(event.is_stop);
        texts.emplace_back(event.text);
        return event.index == stop_at ? Flow::stop : Flow::go_on;
    }
    void on_finish(const GenerationResult& result) override { results.push_back(result); }
    void on_error(const Status& error) override { errors.push_back(error.message()); }

    std::string text() const {
        std::string all;
        for (const std::string& one : texts) all += one;
        return all;
    }
};

//! A tokenizer of bytes (token i is byte i) and of special tokens with the ids from 256 on: what a text becomes is
//! plain to see.
class ScriptedTokenizer {
public:
    explicit ScriptedTokenizer(std::vector<std::string> specials = {}) : specials_(std::move(specials)) {
        for (std::size_t byte = 0; byte < 256; ++byte) bytes_ += static_cast<char>(byte);
    }

    Expected<std::vector<Token>> encode(std::string_view text, SpecialTokens special) const {
        std::vector<Token> tokens;
        while (!text.empty()) {
            std::size_t length = 0;
            for (std::size_t i = 0; special == SpecialTokens::parse && i < specials_.size() && length == 0; ++i) {
                if (!text.starts_with(specials_[i])) continue;
                tokens.push_back(static_cast<Token>(256 + i));
                length = specials_[i].size();
            }
            if (length == 0) tokens.push_back(static_cast<unsigned char>(text.front()));
            text.remove_prefix(length == 0 ? 1 : length);
        }
        return tokens;
    }
    std::string_view piece(Token token) const {
        if (token < 0 || static_cast<std::size_t>(token) >= vocab_size()) return {};
        const auto i = static_cast<std::size_t>(token);
        return i < 256 ? std::string_view(bytes_).substr(i, 1) : std::string_view(specials_[i - 256]);
    }
    bool is_control(Token token) const { return token >= 256 && static_cast<std::size_t>(token) < vocab_size(); }
    std::optional<Token> find_special(std::string_view text) const {
        for (std::size_t i = 0; i < specials_.size(); ++i) {
            if (specials_[i] == text) return static_cast<Token>(256 + i);
        }
        return std::nullopt;
    }
    std::size_t vocab_size() const { return 256 + specials_.size(); }

private:
    std::string bytes_;
    std::vector<std::string> specials_;
};
static_assert(Tokenizer<ScriptedTokenizer>);

//! A router that counts the rows that all of its kind have routed: once a layer for each row of a forward pass.
template <Router R>
struct CountingRouter : R {
    void route(std::span<float> logits, std::span<ExpertChoice> chosen) const {
        routed.fetch_add(1, std::memory_order_relaxed);
        R::route(logits, chosen);
    }
    static inline std::atomic<std::size_t> routed = 0;
};

//! An executor that counts the regions that all of its kind have run.
template <Executor E>
struct CountingExecutor : E {
    using E::E;

    template <class Region>
    void run(Region&& region) {
        regions.fetch_add(1, std::memory_order_relaxed);
        E::run(std::forward<Region>(region));
    }
    static inline std::atomic<std::size_t> regions = 0;
};

//! Lets as many forward passes begin as the test allows.
class Gate {
public:
    void allow(std::size_t passes) {
        change([&] {
            allowed_ += passes;
            waiting_ = false;
        });
    }
    void open() { allow(std::size_t{1} << 40); }

    //! Waits until a pass wants to begin beyond the allowed ones; throws if none does within a minute.
    void wait_until_held() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, std::chrono::minutes(1), [&] { return waiting_; })) {
            throw std::runtime_error("no forward pass came to the gate");
        }
    }
    void pass() {
        std::unique_lock lock(mutex_);
        waiting_ = allowed_ == 0;
        changed_.notify_all();
        changed_.wait(lock, [&] { return allowed_ > 0; });
        waiting_ = false;
        --allowed_;
        ++passes_;
    }
    std::size_t passes() {
        const std::lock_guard lock(mutex_);
        return passes_;
    }
    void reset() {
        change([&] { allowed_ = passes_ = 0; });
    }

private:
    template <class F>
    void change(F f) {
        const std::lock_guard lock(mutex_);
        f();
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t allowed_ = 0, passes_ = 0;
    bool waiting_ = false;
};

//! An executor that makes a blocking model: each forward pass waits at the gate. The gate is of all of its kind, as an
//! executor is made by the loader and cannot be handed one.
template <Executor E>
struct GatedExecutor : E {
    using E::E;

    template <class Region>
    void run(Region&& region) {
        gate.pass();
        E::run(std::forward<Region>(region));
    }
    static inline Gate gate;
};

}  // namespace sluice::contracts
