// SPDX-License-Identifier: Apache-2.0
//! Executors for CPU threads: one parallel region per forward pass, a spin barrier between its phases.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/concepts/executor.hpp"
#include "sluice/core/status.hpp"
#include "sluice/cpu/simd.hpp"

namespace sluice::cpu {

//! Runs a region on the calling thread alone.
class SerialExecutor {
public:
    struct Team {
        static constexpr std::size_t rank() { return 0; }
        static constexpr std::size_t size() { return 1; }
        static constexpr void barrier() {}
    };
    static constexpr std::size_t size() { return 1; }
    template <class Region>
    void run(Region&& region) {
        Team team;
        region(team);
    }
};

namespace detail {

//! Waits until ready() holds: first spinning (a phase of a small model lasts microseconds), then yielding the core, so
//! that more threads than cores still make progress.
template <class Ready>
void spin_until(Ready ready) {
    for (int spins = 0; !ready(); ++spins) {
        if (spins < 256) {
            simd::pause();
        } else {
            std::this_thread::yield();
        }
    }
}

//! Runs one member's part. An exception ends the program here, where it came from: the other members could not be told.
template <class Region, class Team>
void run_member(Region& region, Team& team) noexcept {
    region(team);
}

}  // namespace detail

//! A fixed team of `size` threads, the caller among them. Between regions the workers spin for a moment, then let other
//! threads go first, then sleep.
//! One region at a time: run() is not for several callers at once.
class ThreadPool {
    struct State;

public:
    class Team {
    public:
        std::size_t rank() const { return rank_; }
        std::size_t size() const { return state_->size; }
        void barrier() { state_->barrier(); }

    private:
        friend class ThreadPool;
        Team(State* state, std::size_t rank) : state_(state), rank_(rank) {}
        State* state_;
        std::size_t rank_;
    };

    //! `size` threads in all, at least 1. Throws std::system_error where the system gives no more of them.
    explicit ThreadPool(std::size_t size) : state_(std::make_unique<State>(std::max<std::size_t>(size, 1))) {
        workers_.reserve(state_->size - 1);
        try {
            for (std::size_t rank = 1; rank < state_->size; ++rank) {
                workers_.emplace_back([state = state_.get(), rank] { state->work(rank); });
            }
        } catch (...) {
            stop();
            throw;
        }
    }
    ThreadPool(ThreadPool&&) noexcept = default;
    ThreadPool& operator=(ThreadPool&&) = delete;
    ~ThreadPool() {
        if (state_) stop();
    }

    std::size_t size() const { return state_->size; }

    template <class Region>
    void run(Region&& region) {
        state_->region = [](void* context, Team& team) {
            detail::run_member(*static_cast<std::remove_reference_t<Region>*>(context), team);
        };
        state_->context = const_cast<void*>(static_cast<const void*>(&region));
        state_->start_region();
        Team team(state_.get(), 0);
        detail::run_member(region, team);
        state_->barrier();
    }

private:
    struct State {
        explicit State(std::size_t n) : size(n) {}

        const std::size_t size;
        void (*region)(void*, Team&) = nullptr;
        void* context = nullptr;
        bool stopping = false;
        alignas(64) std::atomic<std::uint32_t> regions_started{0};
        alignas(64) std::atomic<std::size_t> arrived{0};
        alignas(64) std::atomic<std::uint32_t> barriers_passed{0};

        void start_region() {
            regions_started.fetch_add(1, std::memory_order_release);
            regions_started.notify_all();
        }

        void barrier() {
            const std::uint32_t passed = barriers_passed.load(std::memory_order_relaxed);
            if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
                arrived.store(0, std::memory_order_relaxed);
                barriers_passed.store(passed + 1, std::memory_order_release);
                return;
            }
            detail::spin_until([&] { return barriers_passed.load(std::memory_order_acquire) != passed; });
        }

        void work(std::size_t rank) {
            for (std::uint32_t done = 0;; ++done) {
                const auto is_called = [&] { return regions_started.load(std::memory_order_acquire) != done; };
                for (int spins = 0; spins < 256 && !is_called(); ++spins) simd::pause();
                for (int yields = 0; yields < 200 && !is_called(); ++yields) std::this_thread::yield();
                regions_started.wait(done, std::memory_order_acquire);
                if (stopping) return;
                Team team(this, rank);
                region(context, team);
                barrier();
            }
        }
    };

    void stop() {
        state_->stopping = true;
        state_->start_region();
        for (std::thread& worker : workers_) worker.join();
    }

    std::unique_ptr<State> state_;
    std::vector<std::thread> workers_;
};

//! A T that has threads, made of `arguments`; or the error that the system has no more threads.
template <class T, class... Arguments>
Expected<std::unique_ptr<T>> with_threads(Arguments&&... arguments) {
    try {
        return std::make_unique<T>(std::forward<Arguments>(arguments)...);
    } catch (const std::system_error& error) {
        return Status(Errc::out_of_capacity, "threads", "could not be started: " + error.code().message(),
                      "load with fewer threads");
    }
}

static_assert(Executor<SerialExecutor> && Executor<ThreadPool>);

}  // namespace sluice::cpu
