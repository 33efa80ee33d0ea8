// SPDX-License-Identifier: Apache-2.0
//! Random weights by the gigabyte: a thousand pieces are drawn and encoded, and tensors are put together from them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "sluice/core/random.hpp"
#include "sluice/quant/row.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::synthetic {

//! Bell-shaped random weights in one format. Encoding takes microseconds a piece, copying an encoded piece takes
//! nanoseconds: so the disk, not the encoder, sets the pace. All is a function of the seed.
class Palette {
public:
    static constexpr std::size_t piece_size = 256;  //!< weights; whole blocks of every format
    static constexpr std::size_t pieces = 1024;

    //! Weights of that mean and standard deviation. The format is one of quant::Any.
    Palette(quant::Format format, float mean, float deviation, std::uint64_t seed) : seed_(seed) {
        std::vector<float> weights(pieces * piece_size);
        for (std::uint32_t i = 0; i < weights.size(); ++i) weights[i] = mean + deviation * draw(i);
        quant::Any::visit(format, [&]<class F>() {
            encoded_.resize(weights.size() / F::block_size * sizeof(typename F::Block));
            quant::encode_row<F>(weights.data(), weights.size(), encoded_.data());
        });
    }

    //! Bytes of one piece.
    std::size_t piece_bytes() const { return encoded_.size() / pieces; }

    //! The bytes of tensor number `tensor` from piece `first` on; the last piece may be cut.
    void fill(std::uint32_t tensor, std::uint64_t first, std::span<std::byte> out) const {
        for (std::uint64_t piece = first; !out.empty(); ++piece) {
            const auto low = static_cast<std::uint32_t>(piece), high = static_cast<std::uint32_t>(piece >> 32);
            const std::size_t pick = philox(seed_, {{low, high, tensor, 1}}).words[0] % pieces;
            const std::size_t size = std::min(piece_bytes(), out.size());
            std::memcpy(out.data(), encoded_.data() + pick * piece_bytes(), size);
            out = out.subspan(size);
        }
    }

private:
    //! Number i of a nearly normal distribution of variance 1: the sum of four uniform numbers of variance 1/12.
    float draw(std::uint32_t i) const {
        double sum = 0.0;
        for (const std::uint32_t word : philox(seed_, {{i, 0, 0, 0}}).words) sum += word * 0x1p-32 - 0.5;
        return static_cast<float>(sum * std::sqrt(3.0));
    }

    std::uint64_t seed_;
    std::vector<std::byte> encoded_;
};

}  // namespace sluice::synthetic
