// SPDX-License-Identifier: Apache-2.0
//! The emulated device, as it runs threads and blocks in each order.
#pragma once

#include "sluice/cuda/emulated.hpp"

namespace sluice::test {

//! f(device) for each order.
template <class F>
void in_each_order(F f) {
    for (const cuda::Order order : {cuda::Order::ascending, cuda::Order::descending}) {
        cuda::Emulated device({.order = order});
        f(device);
    }
}

}  // namespace sluice::test
