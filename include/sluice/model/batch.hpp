// SPDX-License-Identifier: Apache-2.0
//! What a forward pass checks and asks before it computes, whichever machine it computes on.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sluice/concepts/kv_cache.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/activations.hpp"
#include "sluice/model/qwen3_moe.hpp"
#include "sluice/model/shape.hpp"

namespace sluice::model {

//! A forward pass made ready on its machine, and the cache that it fills.
template <class Cache, class Forward>
struct Ready {
    Cache cache;
    Forward forward;
};

//! Is told how many of how many bytes of weights are where they are computed with, as they are copied there; never
//! where they are used in place.
using LoadProgress = std::function<void(std::size_t done, std::size_t all)>;

//! What a forward pass on a device leaves to the CPU.
struct CpuExperts {
    std::size_t layers = 0;   //!< the experts of so many layers, the last ones; of all, where there are no more layers
    std::size_t threads = 1;  //!< that compute them
};

//! The int8 forms of the three batches of activations that matrices read, in some layer or another.
struct LayerForms {
    cpu::ActivationForms normed;  //!< read by q, k, v, router, gate, up and output
    cpu::ActivationForms mixed;   //!< what attention gives: read by o
    cpu::ActivationForms inner;   //!< of the experts: read by down
};

//! The forms that the matrices of a model ask for; Q has their formats.
template <Quantization Q>
LayerForms layer_forms(const Weights& weights) {
    LayerForms forms;
    forms.normed.add<Q>(weights.output);
    for (const LayerWeights& l : weights.layers) {
        for (const Matrix& m : {l.q, l.k, l.v, l.router, l.experts.gate, l.experts.up}) forms.normed.add<Q>(m);
        forms.mixed.add<Q>(l.o);
        forms.inner.add<Q>(l.experts.down);
    }
    return forms;
}

//! The cache must be one of a model of this shape.
template <shape::Shape S>
Status check_cache(const KvCacheShape& cache, const S& s) {
    if (cache.layers == s.layers && cache.kv_heads == s.kv_heads && cache.head_dim == s.head_dim) return {};
    return Status(Errc::invalid_argument, "forward: cache", "was made for a model of another shape",
                  "build it from this model's layers, kv_heads and head_dim");
}

//! The model's heads must be whole blocks of what the cache stores.
template <class Cache>
Status check_head_dim(std::size_t head_dim) {
    if (head_dim % kv_block<Cache> == 0) return {};
    return Status(Errc::unsupported, "forward: cache",
                  "stores blocks of " + std::to_string(kv_block<Cache>) + " elements, but this model's heads have " +
                      std::to_string(head_dim),
                  "choose a cache of halves or floats");
}

//! Fills `wanted` with the rows that want logits, [those, vocab] of which must fit `room`. Every row must be a token of
//! the vocabulary and the next position of its sequence, inside the cache, and there must be max_rows at most.
template <class Cache>
Status select_wanted(const Cache& cache, std::span<const Row> rows, std::size_t vocab, std::size_t max_rows,
                     std::size_t room, std::vector<std::size_t>& wanted) {
    const auto wrong = [](std::size_t r, std::string what, std::string mend) {
        return Status(Errc::invalid_argument, "forward: row " + std::to_string(r), std::move(what), std::move(mend));
    };
    if (rows.empty() || rows.size() > max_rows) {
        return Status(Errc::invalid_argument, "forward",
                      std::to_string(rows.size()) + " rows, but 1 to " + std::to_string(max_rows) + " fit a batch",
                      "cut the rows into such batches");
    }
    wanted.clear();
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const Row& row = rows[r];
        if (row.token < 0 || static_cast<std::size_t>(row.token) >= vocab) {
            return wrong(r,
                         "token " + std::to_string(row.token) + " is not in the vocabulary of " + std::to_string(vocab),
                         "give ids from 0 to " + std::to_string(vocab - 1));
        }
        const KvCacheShape& held = cache.shape();
        if (row.sequence < 0 || static_cast<std::size_t>(row.sequence) >= held.sequences) {
            return wrong(r,
                         "sequence " + std::to_string(row.sequence) + " is not one of the cache's " +
                             std::to_string(held.sequences),
                         "give sequences from 0 to " + std::to_string(held.sequences - 1));
        }
        std::size_t next = cache.length(static_cast<std::size_t>(row.sequence));
        for (std::size_t before = r; before-- > 0;) {
            if (rows[before].sequence != row.sequence) continue;
            next = static_cast<std::size_t>(rows[before].position) + 1;
            break;
        }
        if (row.position < 0 || static_cast<std::size_t>(row.position) != next) {
            return wrong(r,
                         "position " + std::to_string(row.position) + ", but sequence " + std::to_string(row.sequence) +
                             " goes on at " + std::to_string(next),
                         "give that position, or truncate the cache first");
        }
        if (next >= held.capacity) {
            return Status(Errc::out_of_capacity, "forward: row " + std::to_string(r),
                          "the context of " + std::to_string(held.capacity) + " positions is full",
                          "load with a larger context");
        }
        if (row.wants_logits) wanted.push_back(r);
    }
    if (room < wanted.size() * vocab) {
        return Status(Errc::invalid_argument, "forward: logits",
                      "room for " + std::to_string(room) + " numbers, but " + std::to_string(wanted.size()) +
                          " rows of " + std::to_string(vocab) + " are wanted",
                      "give a larger span, or ask for the logits of fewer rows");
    }
    return {};
}

}  // namespace sluice::model
