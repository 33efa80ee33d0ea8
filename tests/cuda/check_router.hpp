// SPDX-License-Identifier: Apache-2.0
//! A device's router beside the CPU's, to the bit. For the emulated device and for a GPU.
#pragma once

#include <cstddef>
#include <doctest/doctest.h>
#include <span>
#include <vector>

#include "cuda/on_device.hpp"
#include "sluice/concepts/router.hpp"
#include "sluice/cpu/router.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/router.hpp"
#include "support/numbers.hpp"

namespace sluice::test {

//! Choices and weights, ties too.
template <cuda::Device D>
void check_router(D& device) {
    constexpr std::size_t rows = 6;
    struct Sizes {
        std::size_t experts, used;
    };
    for (const Sizes s : {Sizes{128, 8}, Sizes{5, 5}, Sizes{1, 1}, Sizes{1000, 3}}) {
        CAPTURE(s.experts);
        std::vector<float> logits = random_floats(rows * s.experts, 6, 3.0);
        for (std::size_t e = 0; e < s.experts; ++e) {
            logits[e] = static_cast<float>(e % 3);                           // many equal ones
            logits[s.experts + e] = 0.0F;                                    // all equal
            logits[2 * s.experts + e] = e == s.experts / 2 ? 100.0F : 0.0F;  // the others' probability is 0
        }
        const OnDevice<D, float> x(device, logits);
        const OnDevice<D, ExpertChoice> chosen(device, rows * s.used);
        launch(device, cuda::RouteRows{x.data(), s.experts, s.used, rows, chosen.data()});
        const std::vector<ExpertChoice> got = chosen.read();
        for (std::size_t r = 0; r < rows; ++r) {
            std::vector<ExpertChoice> wanted(s.used);
            cpu::SoftmaxTopKRouter<>().route(std::span(logits).subspan(r * s.experts, s.experts), wanted);
            for (std::size_t i = 0; i < s.used; ++i) {
                CHECK(got[r * s.used + i].expert == wanted[i].expert);
                CHECK(same_bits(got[r * s.used + i].weight, wanted[i].weight));
            }
        }
    }
}

}  // namespace sluice::test
