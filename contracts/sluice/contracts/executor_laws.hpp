// SPDX-License-Identifier: Apache-2.0
//! The laws of executors: who runs a region, and what the members see of each other.
//!
//!     TEST_CASE("my executor keeps the laws") {
//!         sluice::contracts::executor_laws("MyExecutor of 3", std::make_shared<MyExecutor>(3), 3);
//!     }
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/concepts/executor.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/core/to_text.hpp"

namespace sluice::contracts {

namespace detail {

//! A member's view of its team, whatever its type.
struct AnyMember {
    std::size_t rank, size;
    std::function<void()> barrier;
};

//! An executor whatever its type, so that the laws of executors are compiled once.
struct AnyExecutor {
    std::function<std::size_t()> size;
    std::function<void(const std::function<void(const AnyMember&)>&)> run;

    template <Executor E>
    static AnyExecutor of(std::shared_ptr<E> executor) {
        return {[executor] { return std::size_t{executor->size()}; },
                [executor](const std::function<void(const AnyMember&)>& region) {
                    executor->run([region](typename E::Team& team) {
                        region({team.rank(), team.size(), [&team] { team.barrier(); }});
                    });
                }};
    }
};

//! A number for each of `count` places, all zero. Atomic without any order, so that an executor that fails to order
//! reads and writes gives wrong numbers and not a race; shared with the region, which copies it, so that a member that
//! is still running behind the end of run() finds it.
class Numbers {
public:
    explicit Numbers(std::size_t count) : numbers_(std::make_shared<std::vector<std::atomic<int>>>(count)) {}

    void set(std::size_t at, int value) const { numbers_->at(at).store(value, std::memory_order_relaxed); }
    int get(std::size_t at) const { return numbers_->at(at).load(std::memory_order_relaxed); }
    void add(std::size_t at, int more) const { numbers_->at(at).fetch_add(more, std::memory_order_relaxed); }

    std::vector<int> all() const { return {numbers_->begin(), numbers_->end()}; }

private:
    std::shared_ptr<std::vector<std::atomic<int>>> numbers_;
};

//! Where a member counts itself: its rank, or the last place for ranks that there must not be.
inline std::size_t place_of(std::size_t rank, std::size_t members) { return std::min(rank, members); }

//! Once for each member, and none elsewhere.
inline std::vector<int> each(std::size_t members, int times) {
    std::vector<int> counts(members, times);
    counts.push_back(0);
    return counts;
}

//! Lets the other members run ahead, or not.
inline void dawdle(std::size_t times) {
    for (; times > 0; --times) std::this_thread::yield();
}

}  // namespace detail

//! All laws of an executor with this many members.
inline std::vector<Law> executor_law_list(const detail::AnyExecutor& executor, std::size_t members) {
    using namespace detail;
    return {
        {"executor.each_member_once",
         "Each member runs the region once, with a rank of its own, and knows the team's size.",
         [executor, members](Case& c) {
             const Numbers calls(members + 1), sizes(members + 1);
             executor.run([=](const AnyMember& member) {
                 const std::size_t at = place_of(member.rank, members);
                 calls.add(at, 1);
                 sizes.set(at, static_cast<int>(member.size));
             });
             c.equal("size", executor.size(), members);
             c.equal("calls of each rank", calls.all(), each(members, 1));
             std::vector<int> size_of_each(members, static_cast<int>(members));
             size_of_each.push_back(0);
             c.equal("size of the team, for each rank", sizes.all(), size_of_each);
         }},
        {"executor.done_at_return", "When run() returns, all members have ended, and what they wrote is seen.",
         [executor, members](Case& c) {
             const Numbers ended(members + 1);
             const std::size_t late = c.integer<std::size_t>(0, members - 1), by = c.pick<std::size_t>({0, 1, 20});
             c.given("late member", late);
             executor.run([=](const AnyMember& member) {
                 if (member.rank == late) dawdle(by);
                 ended.set(place_of(member.rank, members), 1);
             });
             c.equal("members that have ended", ended.all(), each(members, 1));
         }},
        {"executor.barriers_order_writes", "What any member wrote before a barrier is seen by all behind it.",
         [executor, members](Case& c) {
             const Numbers now(members + 1), wrong(members + 1);
             const std::size_t late = c.integer<std::size_t>(0, members - 1), by = c.pick<std::size_t>({0, 1, 20});
             const int rounds = c.integer(1, 6);
             c.given("rounds", rounds);
             c.given("late member", late);
             executor.run([=](const AnyMember& member) {
                 const std::size_t me = place_of(member.rank, members);
                 for (int round = 1; round <= rounds; ++round) {
                     if (me == late) dawdle(by);
                     now.set(me, round);
                     member.barrier();
                     for (std::size_t other = 0; other < members; ++other) {
                         if (now.get(other) != round) wrong.add(me, 1);
                     }
                     member.barrier();
                 }
             });
             c.equal("stale numbers seen by each rank", wrong.all(), each(members, 0));
         }},
        {"executor.shares_cover_all", "The members' shares of a range cover it, each unit once.",
         [executor](Case& c) {
             const std::size_t count = c.pick<std::size_t>({0, 1, 16, c.integer<std::size_t>(0, 200)});
             const std::size_t granule = c.pick<std::size_t>({1, 3, 16});
             c.given("count", count);
             c.given("granule", granule);
             const Numbers taken(count);
             executor.run([=](const AnyMember& member) {
                 const Range mine = share(count, granule, member.rank, member.size);
                 for (std::size_t i = mine.first; i < mine.last; ++i) taken.add(i, 1);
             });
             c.equal("how often each is taken", taken.all(), std::vector<int>(count, 1));
         }},
        {"executor.runs_again", "Regions can follow each other, each run by all members.",
         [executor, members](Case& c) {
             const Numbers calls(members + 1);
             const int regions = c.integer(2, 12);
             for (int region = 1; region <= regions; ++region) {
                 executor.run([=](const AnyMember& member) { calls.add(place_of(member.rank, members), 1); });
                 c.equal("calls of each rank after region " + to_text(region), calls.all(), each(members, region));
             }
         }},
        {"executor.one_region_at_a_time", "No member begins a region before all have ended the one before.",
         [executor, members](Case& c) {
             const Numbers ended(members + 1), early(members + 1);
             const int regions = c.integer(2, 6);
             const std::size_t late = c.integer<std::size_t>(0, members - 1), by = c.pick<std::size_t>({0, 1, 20});
             c.given("regions", regions);
             c.given("late member", late);
             for (int region = 0; region < regions; ++region) {
                 executor.run([=](const AnyMember& member) {
                     const std::size_t me = place_of(member.rank, members);
                     for (std::size_t other = 0; other < members; ++other) {
                         if (ended.get(other) < region) early.add(me, 1);
                     }
                     if (me == late) dawdle(by);
                     ended.add(me, 1);
                 });
             }
             c.equal("early begins of each rank", early.all(), each(members, 0));
         }},
    };
}

template <Executor E>
std::vector<Law> executor_law_list(const std::shared_ptr<E>& executor, std::size_t members) {
    return executor_law_list(detail::AnyExecutor::of(executor), members);
}

//! Checks all laws of an executor, inside a doctest test case.
template <Executor E>
void executor_laws(std::string_view subject, const std::shared_ptr<E>& executor, std::size_t members) {
    check_laws(subject, executor_law_list(executor, members));
}

}  // namespace sluice::contracts
