// SPDX-License-Identifier: Apache-2.0
//! A backend that runs kernels on the CPU, for tests: each thread of a block is a fiber, which runs until it waits for
//! others. Threads and blocks run one after the other in an order that the test chooses, so a kernel that lacks a
//! barrier gives another result in one of the orders; shared memory and allocations begin as NaNs.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <ucontext.h>
#include <utility>
#include <vector>

#include "sluice/core/buffer.hpp"
#include "sluice/core/status.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/memory.hpp"

namespace sluice::cuda {

//! Which of the threads that can run does so first; likewise blocks.
enum class Order { ascending, descending };

namespace detail {

//! The threads of one block, as fibers on stacks that are used again for the next block.
class Fibers {
public:
    explicit Fibers(std::size_t most) : stacks_(most * stack_bytes), contexts_(most), ready_(most) {}

    //! Calls body(i) for each i of [0, count), each on its own stack; false if all that are left sleep for ever.
    template <class Body>
    bool run(unsigned count, Order order, const Body& body) {
        body_ = &body;
        call_ = [](const void* b, unsigned i) { (*static_cast<const Body*>(b))(i); };
        count_ = count;
        step_ = order == Order::ascending ? 1 : count - 1;  // modulo count
        current_ = order == Order::ascending ? count - 1 : 0;
        left_ = count;
        for (unsigned i = 0; i < count; ++i) start(i);
        wake(0, count);
        while (next()) swapcontext(&scheduler_, &contexts_[current_]);
        return left_ == 0;
    }

    //! Lets others run until one of them wakes the fiber that calls this.
    void sleep() {
        ucontext_t& self = contexts_[current_];
        ready_[current_] = false;
        swapcontext(&self, next() ? &contexts_[current_] : &scheduler_);
    }

    void wake(unsigned first, unsigned count) { std::fill_n(ready_.begin() + first, count, true); }

private:
    static constexpr std::size_t stack_bytes = std::size_t{128} << 10;

    void start(unsigned i) {
        ucontext_t& context = contexts_[i];
        getcontext(&context);
        context.uc_stack.ss_sp = stacks_.data() + i * stack_bytes;
        context.uc_stack.ss_size = stack_bytes;
        context.uc_link = &scheduler_;
        const auto self = reinterpret_cast<std::uintptr_t>(this);  // makecontext passes ints
        makecontext(&context, reinterpret_cast<void (*)()>(&enter), 2, static_cast<unsigned>(self >> 32),
                    static_cast<unsigned>(self));
    }

    static void enter(unsigned high, unsigned low) {
        auto* self = reinterpret_cast<Fibers*>((std::uintptr_t{high} << 32) | low);
        self->call_(self->body_, self->current_);
        self->ready_[self->current_] = false;
        --self->left_;
    }

    //! Goes on to the fiber behind the current one, in the order, that can run; false if there is none.
    bool next() {
        unsigned at = current_;
        for (unsigned i = 0; i < count_; ++i) {
            at = (at + step_) % count_;
            if (!ready_[at]) continue;
            current_ = at;
            return true;
        }
        return false;
    }

    Buffer<std::byte> stacks_;
    std::vector<ucontext_t> contexts_;
    std::vector<char> ready_;
    ucontext_t scheduler_ = {};
    const void* body_ = nullptr;
    void (*call_)(const void*, unsigned) = nullptr;
    unsigned count_ = 0, step_ = 0, current_ = 0, left_ = 0;
};

//! A place where the threads [first, first + expected) meet again and again.
struct Meeting {
    unsigned first = 0, expected = 0, arrived = 0;
    std::size_t times = 0;
};

}  // namespace detail

//! What the threads of an emulated block share.
class EmulatedBlock {
public:
    static constexpr unsigned most_threads = 1024;
    static constexpr std::size_t shared_bytes = std::size_t{48} << 10;  //!< what every GPU has for static variables

    EmulatedBlock() : fibers_(most_threads), shared_(shared_bytes) {}

    //! Runs one block; false if some of its threads wait for others that never come.
    template <class Kernel>
    bool run(const Kernel& kernel, Dim block, Order order);

private:
    friend class EmulatedContext;

    void meet(detail::Meeting& meeting) {
        if (++meeting.arrived < meeting.expected) return fibers_.sleep();
        meeting.arrived = 0;
        ++meeting.times;
        fibers_.wake(meeting.first, meeting.expected);
    }

    detail::Fibers fibers_;
    Buffer<std::byte> shared_;
    Dim block_;
    detail::Meeting all_;
    std::array<detail::Meeting, most_threads / warp_size> warps_;
    // What each thread hands over in a shuffle. The next shuffle uses the other row: by the one after it, all have
    // read.
    std::array<std::array<std::uint64_t, most_threads>, 2> handed_ = {};
    std::array<std::uint64_t, most_threads> told_ = {};  // what each thread tells the whole block
    struct Fragments {
        std::uint32_t a[4], b[2];
    };
    std::array<std::array<Fragments, most_threads>, 2> fragments_ = {};  // the same in an mma
};

//! One thread of an emulated block.
class EmulatedContext {
public:
    EmulatedContext(EmulatedBlock& block, unsigned thread) : block_(block), thread_(thread) {}

    Dim block() const { return block_.block_; }
    unsigned thread() const { return thread_; }
    void barrier() { block_.meet(block_.all_); }
    void sync_warp() { block_.meet(warp()); }

    template <class T>
    T shuffle_xor(T value, unsigned mask) {
        static_assert(sizeof(T) <= sizeof(std::uint64_t));
        auto& handed = block_.handed_[warp().times % 2];
        std::memcpy(&handed[thread_], &value, sizeof value);
        sync_warp();
        std::memcpy(&value, &handed[thread_ ^ mask], sizeof value);
        return value;
    }

    template <std::unsigned_integral T>
    T least(T value) {
        T least = value;
        tell_all(value, [&](unsigned, std::uint64_t other) { least = std::min(least, static_cast<T>(other)); });
        return least;
    }
    template <std::unsigned_integral T>
    BlockSum<T> sum(T value) {
        BlockSum<T> sum = {};
        tell_all(value, [&](unsigned thread, std::uint64_t other) {
            sum.total += static_cast<T>(other);
            if (thread < thread_) sum.before += static_cast<T>(other);
        });
        return sum;
    }

    template <std::unsigned_integral T>
    T add(T& to, T value) {
        return std::exchange(to, to + value);
    }

    template <class T>
    T& shared() {
        static_assert(sizeof(T) <= EmulatedBlock::shared_bytes && alignof(T) <= Buffer<std::byte>::alignment);
        return *reinterpret_cast<T*>(block_.shared_.data());
    }

    std::int32_t dot4(std::int32_t acc, std::uint32_t a, std::uint32_t b) {
        for (int i = 0; i < 32; i += 8) acc += static_cast<std::int8_t>(a >> i) * static_cast<std::int8_t>(b >> i);
        return acc;
    }

    void mma(std::int32_t (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
        auto& fragments = block_.fragments_[warp().times % 2];
        std::copy_n(a, 4, fragments[thread_].a);
        std::copy_n(b, 2, fragments[thread_].b);
        sync_warp();
        const auto* lanes = fragments.data() + thread_ / warp_size * warp_size;
        const auto byte = [](std::uint32_t word, unsigned k) { return static_cast<std::int8_t>(word >> (k % 4 * 8)); };
        for (unsigned i = 0; i < 4; ++i) {
            const unsigned row = thread_ % warp_size / 4 + i / 2 * 8, column = thread_ % 4 * 2 + i % 2;
            for (unsigned k = 0; k < 32; ++k) {
                const unsigned half = k / 16, quarter = k % 16 / 4;
                sums[i] += byte(lanes[row % 8 * 4 + quarter].a[row / 8 + 2 * half], k) *
                           byte(lanes[column * 4 + quarter].b[half], k);
            }
        }
    }

private:
    //! hear(thread, value) of all threads' values.
    template <class Hear>
    void tell_all(std::uint64_t value, Hear hear) {
        block_.told_[thread_] = value;
        barrier();
        for (unsigned i = 0; i < block_.all_.expected; ++i) hear(i, block_.told_[i]);
        barrier();
    }

    detail::Meeting& warp() { return block_.warps_[thread_ / warp_size]; }

    EmulatedBlock& block_;
    unsigned thread_;
};

static_assert(ThreadContext<EmulatedContext>);

template <class Kernel>
bool EmulatedBlock::run(const Kernel& kernel, Dim block, Order order) {
    static_assert(Kernel::threads <= most_threads && Kernel::threads % warp_size == 0);
    block_ = block;
    all_ = {.expected = Kernel::threads};
    for (unsigned i = 0; i < warps_.size(); ++i) warps_[i] = {.first = i * warp_size, .expected = warp_size};
    std::memset(shared_.data(), 0xFF, shared_.size());
    return fibers_.run(Kernel::threads, order, [&](unsigned i) {
        EmulatedContext thread(*this, i);
        kernel(thread);
    });
}

struct EmulatedOptions {
    std::size_t memory = std::numeric_limits<std::size_t>::max();  //!< bytes that memory() calls free
    Order order = Order::ascending;
};

//! Kernels on the CPU, memory from the heap. A launch has ended when it returns, and so has a copy.
class Emulated {
public:
    explicit Emulated(const EmulatedOptions& options = {})
        : block_(std::make_unique<EmulatedBlock>()), options_(options) {}

    static constexpr std::size_t size() { return 1; }  //!< threads of the host that a forward pass takes

    MemoryUse memory() const { return {options_.memory, options_.memory}; }

    static void* allocate(std::size_t bytes) {
        void* p = ::operator new (bytes, std::align_val_t{memory_alignment}, std::nothrow);
        if (p != nullptr) std::memset(p, 0xFF, bytes);
        return p;
    }
    static void release(void* p) { ::operator delete (p, std::align_val_t{memory_alignment}); }

    static void* allocate_host(std::size_t bytes) { return allocate(bytes); }
    static void release_host(void* p) { release(p); }

    void to_device(void* to, const void* from, std::size_t bytes) { copy(to, from, bytes); }
    void to_host(void* to, const void* from, std::size_t bytes) { copy(to, from, bytes); }

    template <class Kernel>
    void launch(const Kernel& kernel, Dim grid) {
        if (recording_ != nullptr) {
            recording_->launches.push_back([kernel, grid](Emulated& device) { device.launch(kernel, grid); });
            return;
        }
        ++launches_;
        const std::size_t blocks = std::size_t{grid.x} * grid.y * grid.z;
        for (std::size_t i = 0; i < blocks && error_.ok(); ++i) {
            const std::size_t at = options_.order == Order::ascending ? i : blocks - 1 - i;
            const Dim block = {static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
                               static_cast<unsigned>(at / grid.x / grid.y)};
            if (!block_->run(kernel, block, options_.order)) {
                error_ = Status(Errc::unsupported, "emulated kernel: block " + std::to_string(at),
                                "some threads wait at a barrier that others never reach",
                                "let all threads of the block, or of the warp, reach it");
            }
        }
    }

    struct Graph {
        std::vector<std::function<void(Emulated&)>> launches;  //!< with the arguments they were recorded with
    };
    template <class Enqueue>
    void record(Graph& graph, Enqueue enqueue) {
        graph.launches.clear();
        recording_ = &graph;
        enqueue();
        recording_ = nullptr;
    }
    void launch(const Graph& graph) {
        for (const auto& one : graph.launches) one(*this);
    }

    void mark() {}
    Status wait_for_mark() { return finish(); }

    //! Waits for all launches; the first error since the last call.
    Status finish() { return std::exchange(error_, {}); }

    //! Of kernels, so far, those of graphs among them.
    std::size_t launches() const { return launches_; }

private:
    //! No bytes may lie nowhere, as they may for a GPU.
    static void copy(void* to, const void* from, std::size_t bytes) {
        if (bytes > 0) std::memcpy(to, from, bytes);
    }

    std::unique_ptr<EmulatedBlock> block_;
    EmulatedOptions options_;
    Graph* recording_ = nullptr;
    Status error_;
    std::size_t launches_ = 0;
};

static_assert(Device<Emulated>);

}  // namespace sluice::cuda
