// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/router.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <span>
#include <vector>

#include "cuda/on_device.hpp"
#include "sluice/cpu/router.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated, cuda::Order;

TEST_CASE("cuda router: the CPU's choices and weights to the bit, ties too") {
    constexpr std::size_t rows = 6;
    struct Sizes {
        std::size_t experts, used;
    };
    for (const Sizes s : {Sizes{128, 8}, Sizes{5, 5}, Sizes{1, 1}, Sizes{1000, 3}}) {
        for (const Order order : {Order::ascending, Order::descending}) {
            CAPTURE(s.experts);
            std::vector<float> logits = random_floats(rows * s.experts, 6, 3.0);
            for (std::size_t e = 0; e < s.experts; ++e) {
                logits[e] = static_cast<float>(e % 3);                           // many equal ones
                logits[s.experts + e] = 0.0F;                                    // all equal
                logits[2 * s.experts + e] = e == s.experts / 2 ? 100.0F : 0.0F;  // the others' probability is 0
            }
            const OnDevice<float> x(logits);
            const OnDevice<ExpertChoice> chosen(rows * s.used);
            Emulated device({.order = order});
            const cuda::RouteRows kernel{x.data(), s.experts, s.used, rows, chosen.data()};
            device.launch(kernel, kernel.grid());
            REQUIRE(device.finish().ok());
            for (std::size_t r = 0; r < rows; ++r) {
                std::vector<ExpertChoice> wanted(s.used);
                cpu::SoftmaxTopKRouter<>().route(std::span(logits).subspan(r * s.experts, s.experts), wanted);
                for (std::size_t i = 0; i < s.used; ++i) {
                    const ExpertChoice got = chosen.data()[r * s.used + i];
                    CHECK(got.expert == wanted[i].expert);
                    CHECK(same_bits(got.weight, wanted[i].weight));
                }
            }
        }
    }
}
