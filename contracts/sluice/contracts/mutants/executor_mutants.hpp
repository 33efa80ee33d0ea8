// SPDX-License-Identifier: Apache-2.0
//! Executors that are wrong in one way each. None deadlocks or outlives what it runs.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/concepts/executor.hpp"
#include "sluice/contracts/executor_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/cpu/executor.hpp"

namespace sluice::contracts {

namespace mutants {

//! A team whose members tell what Mutation makes of their rank, size and barriers.
template <class Mutation>
class MutantTeam {
public:
    explicit MutantTeam(cpu::ThreadPool::Team& team) : team_(&team) {}
    std::size_t rank() const { return Mutation::rank(team_->rank(), team_->size()); }
    std::size_t size() const { return Mutation::size(team_->size()); }
    void barrier() {
        if (Mutation::waits(barriers_++)) team_->barrier();
    }

private:
    cpu::ThreadPool::Team* team_;
    std::size_t barriers_ = 0;
};

//! The true pool with such a team; a Mutation derives from it and hides what it changes.
template <class Mutation>
class MutantPool {
public:
    using Team = MutantTeam<Mutation>;
    explicit MutantPool(std::size_t size) : pool_(size) {}
    std::size_t size() const { return Mutation::size(pool_.size()); }

    template <class Region>
    void run(Region region) {
        pool_.run([&](cpu::ThreadPool::Team& team) {
            Team mutant(team);
            region(mutant);
        });
    }

    static std::size_t rank(std::size_t rank, std::size_t /*size*/) { return rank; }
    static std::size_t size(std::size_t size) { return size; }
    static bool waits(std::size_t /*barrier*/) { return true; }

private:
    cpu::ThreadPool pool_;
};

struct RunsRankZeroTwice : MutantPool<RunsRankZeroTwice> {
    using MutantPool::MutantPool;
    static std::size_t rank(std::size_t rank, std::size_t size) { return rank + 1 == size ? 0 : rank; }
};

struct CountsRanksFromOne : MutantPool<CountsRanksFromOne> {
    using MutantPool::MutantPool;
    static std::size_t rank(std::size_t rank, std::size_t) { return rank + 1; }
};

struct LacksOneMember : MutantPool<LacksOneMember> {
    explicit LacksOneMember(std::size_t size) : MutantPool(size - 1) {}
    using MutantPool::size;
    static std::size_t size(std::size_t size) { return size + 1; }
};

struct PassesBarriers : MutantPool<PassesBarriers> {
    using MutantPool::MutantPool;
    static bool waits(std::size_t) { return false; }
};

struct PassesEverySecondBarrier : MutantPool<PassesEverySecondBarrier> {
    using MutantPool::MutantPool;
    static bool waits(std::size_t barrier) { return barrier % 2 == 1; }
};

struct SkipsEveryEighthRegion : MutantPool<SkipsEveryEighthRegion> {
    using MutantPool::MutantPool;
    template <class Region>
    void run(Region region) {
        if (++regions_ % 8 != 0) MutantPool::run(region);
    }

private:
    int regions_ = 0;
};

//! One member, on a thread of its own, which run() does not wait for; at most Together of them run at once.
template <std::size_t Together>
class RunsBehindReturn {
public:
    using Team = cpu::SerialExecutor::Team;
    ~RunsBehindReturn() {
        for (std::thread& thread : running_) join(thread);
    }
    std::size_t size() const { return 1; }

    template <class Region>
    void run(Region region) {
        std::thread& thread = running_[regions_++ % Together];
        join(thread);
        thread = std::thread([region] {
            Team team;
            detail::dawdle(3);
            region(team);
        });
    }

private:
    static void join(std::thread& thread) {
        if (thread.joinable()) thread.join();
    }
    std::thread running_[Together];
    std::size_t regions_ = 0;
};

}  // namespace mutants

template <Executor E>
Mutant executor_mutant(std::string_view name, std::string_view law, std::size_t members = 3) {
    if constexpr (std::is_constructible_v<E, std::size_t>) {
        return {std::string(name), law, executor_law_list(std::make_shared<E>(members), members)};
    } else {
        return {std::string(name), law, executor_law_list(std::make_shared<E>(), 1)};
    }
}

inline std::vector<Mutant> executor_mutants() {
    using namespace mutants;
    const auto once = "executor.each_member_once", barriers = "executor.barriers_order_writes";
    return {
        executor_mutant<CountsRanksFromOne>("counts ranks from one", once),
        executor_mutant<LacksOneMember>("lacks one member", once),
        executor_mutant<PassesBarriers>("has barriers that do not wait", barriers),
        executor_mutant<PassesEverySecondBarrier>("waits at every second barrier only", barriers),
        executor_mutant<RunsRankZeroTwice>("runs rank 0 twice", "executor.shares_cover_all"),
        executor_mutant<SkipsEveryEighthRegion>("skips every eighth region", "executor.runs_again"),
        executor_mutant<RunsBehindReturn<1>>("returns before its member has ended", "executor.done_at_return"),
        executor_mutant<RunsBehindReturn<2>>("begins a region before the last one has ended",
                                             "executor.one_region_at_a_time"),
    };
}

}  // namespace sluice::contracts
