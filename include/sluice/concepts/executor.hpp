// SPDX-License-Identifier: Apache-2.0
//! The Executor slot: who runs a forward pass.
#pragma once

#include <concepts>
#include <cstddef>

namespace sluice {

//! A half-open range of indices.
struct Range {
    std::size_t first = 0, last = 0;
    std::size_t size() const { return last - first; }
};

//! The part of [0, count) that member `rank` of `size` takes: contiguous, whole multiples of `granule` (at least 1) but
//! for the end.
//! What cannot be shared, one unit, is rank 0's.
constexpr Range share(std::size_t count, std::size_t granule, std::size_t rank, std::size_t size) {
    const std::size_t units = (count + granule - 1) / granule;
    const auto edge = [&](std::size_t r) {
        const std::size_t at = (units * r + size - 1) / size * granule;
        return at < count ? at : count;
    };
    return {edge(rank), edge(rank + 1)};
}

//! One member's view of the team that runs a parallel region. All members run the same code and meet at barriers.
template <class T>
concept Team = requires(T& team) {
    { team.rank() } -> std::convertible_to<std::size_t>;
    { team.size() } -> std::convertible_to<std::size_t>;
    team.barrier();
};

namespace detail {
//! Stand-ins for the concepts that need some team or some region to ask their question with.
struct AnyTeam {
    static constexpr std::size_t rank() { return 0; }
    static constexpr std::size_t size() { return 1; }
    void barrier() {}
};
struct AnyRegion {
    void operator()(auto& /*team*/) const {}
};
}  // namespace detail

//! `executor.run(region)` calls region(team) once on each of `executor.size()` threads and returns when all are done.
//! What was written before a barrier (or the return) by any member is seen by all after it. The region must not throw:
//! an exception ends the program.
template <class E>
concept Executor = requires(E& executor, detail::AnyRegion region) {
    typename E::Team;
    requires Team<typename E::Team>;
    { executor.size() } -> std::convertible_to<std::size_t>;
    executor.run(region);
};

}  // namespace sluice
