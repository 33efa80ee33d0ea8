// SPDX-License-Identifier: Apache-2.0
//! A batch's choices of experts, sorted on the device, so that an expert's weights serve many rows at once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/core/types.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/router.hpp"
#include "sluice/cuda/tuning.hpp"

namespace sluice::cuda {

//! Entries of one expert: ExpertGroups::entries [first, last).
struct ExpertTile {
    std::uint32_t expert, first, last;
};

//! The entries of a batch, (row, choice) pairs numbered row * used + choice, by expert, ascending.
struct ExpertGroups {
    static constexpr std::uint32_t tile_entries = tuning::many_rows.columns;  //!< of a tile at most

    std::uint32_t* begin;       //!< [experts + 1]: where each expert's entries begin
    std::uint32_t* entries;     //!< [rows * used]
    ExpertTile* tiles;          //!< [most_tiles(experts, rows * used)]: the same entries, for blocks of work alike
    std::uint32_t* tile_count;  //!< how many of `tiles` there are

    static constexpr std::size_t most_tiles(std::size_t experts, std::size_t entries) {
        return experts + entries / tile_entries;
    }
};

//! A counting sort in one block. A thread is an expert, which looks at all choices: no atomics, one order.
struct GroupByExpert {
    static constexpr unsigned threads = tuning::row_threads;

    const ExpertChoice* choices;  //!< [entries]
    std::size_t experts, entries;
    ExpertGroups out;

    Dim grid() const { return {}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        struct Shared {
            std::uint32_t count[RouteRows::most_experts];
        };
        auto& shared = t.template shared<Shared>();
        for (std::size_t e = t.thread(); e < experts; e += threads) {
            shared.count[e] = 0;
            each_entry_of(e, [&](std::uint32_t /*entry*/) { ++shared.count[e]; });
        }
        t.barrier();
        for (std::size_t e = t.thread(); e < experts; e += threads) {
            std::uint32_t at = 0, tile = 0;
            for (std::size_t before = 0; before < e; ++before) {
                at += shared.count[before];
                tile += tiles_of(shared.count[before]);
            }
            const std::uint32_t end = at + shared.count[e];
            for (std::uint32_t first = at; first < end; first += out.tile_entries) {
                const std::uint32_t last = first + out.tile_entries < end ? first + out.tile_entries : end;
                out.tiles[tile++] = {static_cast<std::uint32_t>(e), first, last};
            }
            out.begin[e] = at;
            each_entry_of(e, [&](std::uint32_t entry) { out.entries[at++] = entry; });
            if (e + 1 == experts) {
                out.begin[experts] = at;
                *out.tile_count = tile;
            }
        }
    }

private:
    static SLUICE_HD std::uint32_t tiles_of(std::uint32_t entries) {
        return (entries + ExpertGroups::tile_entries - 1) / ExpertGroups::tile_entries;
    }

    template <class F>
    SLUICE_HD void each_entry_of(std::size_t expert, F f) const {
        for (std::size_t i = 0; i < entries; ++i) {
            if (static_cast<std::size_t>(choices[i].expert) == expert) f(static_cast<std::uint32_t>(i));
        }
    }
};

}  // namespace sluice::cuda
