// SPDX-License-Identifier: Apache-2.0
//! Many streams with random cancels; meant for the thread sanitizer.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "unit/server/tiny_engine.hpp"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("engine: of sixty-four streams with random cancels, those that stay are what each is alone") {
    constexpr std::size_t streams = 64, tokens = 24;
    const auto request_at = [](std::size_t i) {
        const auto seed = static_cast<std::uint32_t>(i);
        return request_of<Free>(prompt_of(1 + i * 11 % 70, seed), {.max_tokens = tokens, .seed = seed});
    };
    const auto leaves = [](std::size_t i) { return i % 2 == 0; };
    std::vector<Heard> alone;
    for (const auto engine = engine_of<Free>(1); alone.size() < streams;) {
        alone.push_back(read_all(*submit(*engine, request_at(alone.size()))));
    }

    std::vector<std::atomic<bool>> cancels(streams);
    std::vector<Heard> heard(streams);
    const auto engine = engine_of<Free>(8, {.queue = streams, .prefill_chunk = 5});
    std::vector<std::thread> clients;
    for (std::size_t i = 0; i < streams; ++i) {
        auto request = request_at(i);
        request.options.cancel = &cancels[i];
        clients.emplace_back([&, i, channel = submit(*engine, std::move(request))] {
            const auto read = [&](std::size_t most) {
                for (; most > 0 && channel->wait_for(60s); --most) {
                    const auto event = channel->pop();
                    if (!event) return;
                    heard[i].tokens.push_back(event->id);
                }
            };
            if (leaves(i)) {  // at once, while it waits, or after some tokens; in one of the two ways
                std::mt19937_64 random(i);
                std::this_thread::sleep_for(random() % 5 * 1ms);
                read(random() % tokens);
                i % 4 == 0 ? channel->close() : cancels[i].store(true);
            }
            read(tokens + 1);
            heard[i].outcome = channel->outcome();
        });
    }
    for (int i = 0; i < 100; ++i) CHECK(engine->state().busy_slots <= 8);
    for (std::thread& client : clients) client.join();
    engine->drain(60s);

    std::size_t cancelled_by_flag = 0;
    for (std::size_t i = 0; i < streams; ++i) {
        CAPTURE(i);
        REQUIRE(heard[i].tokens.size() <= tokens);
        CHECK(std::equal(heard[i].tokens.begin(), heard[i].tokens.end(), alone[i].tokens.begin()));
        if (!leaves(i)) CHECK(heard[i].tokens.size() == tokens);
        if (i % 4 != 0 && reason(heard[i]) == FinishReason::cancelled) ++cancelled_by_flag;
    }
    CHECK(cancelled_by_flag > 0);
    const server::EngineState state = engine->state();
    CHECK(state.busy_slots == 0);
    CHECK(state.queued == 0);
    CHECK(state.finished + state.cancelled == streams);
    CHECK(state.finished >= streams / 2);
    CHECK(state.cancelled > 0);
    CHECK(state.failed == 0);
}
