// SPDX-License-Identifier: Apache-2.0
//! What takes long to compile and most of our programs use: the matrix kernels of all formats, and the forward passes
//! of the ready-made bundles. It is compiled once, in kernels.cpp and models.cpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "sluice/core/matrix.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/cpu/matmul.hpp"
#include "sluice/model/forward.hpp"
#include "sluice/model/model.hpp"
#include "sluice/model/shape.hpp"
#include "sluice/pipeline/loaded_model.hpp"
#include "sluice/pipeline/policies.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::compiled_once {

template <class F>
using Columns = std::span<const cpu::Column<typename F::Activation>>;

//! The ready-made bundle for the formats of Q, with a cache of Units.
template <class Q, class Unit>
struct Bundle : Qwen3MoeCpu<Q> {
    using KvCache = cpu::ContiguousKvCache<Unit>;
};

}  // namespace sluice::compiled_once

#define SLUICE_KERNELS_OF(DECLARE, F)                                                                      \
    DECLARE void sluice::cpu::multiply<sluice::quant::F>(const sluice::Matrix&, std::size_t, std::size_t,  \
                                                         sluice::compiled_once::Columns<sluice::quant::F>, \
                                                         const std::byte*);
#define SLUICE_FORWARD(DECLARE, Q, Unit)                                                               \
    DECLARE class sluice::model::Forward<sluice::ComputeOf<sluice::compiled_once::Bundle<Q, Unit>>>;   \
    DECLARE sluice::Status                                                                             \
    sluice::model::Forward<sluice::ComputeOf<sluice::compiled_once::Bundle<Q, Unit>>>::operator()(     \
        sluice::cpu::ThreadPool&, sluice::cpu::ContiguousKvCache<Unit>&, std::span<const sluice::Row>, \
        std::span<float>, const std::atomic<bool>*);

#define SLUICE_KERNELS_COMPILED_ONCE(DECLARE) \
    SLUICE_KERNELS_OF(DECLARE, Q4_K)          \
    SLUICE_KERNELS_OF(DECLARE, Q5_K)          \
    SLUICE_KERNELS_OF(DECLARE, Q6_K)          \
    SLUICE_KERNELS_OF(DECLARE, Q8_0)          \
    SLUICE_KERNELS_OF(DECLARE, Q4_0)          \
    SLUICE_KERNELS_OF(DECLARE, Q5_0)          \
    SLUICE_KERNELS_OF(DECLARE, F32)           \
    SLUICE_KERNELS_OF(DECLARE, BF16)          \
    SLUICE_KERNELS_OF(DECLARE, F16)
#define SLUICE_MODELS_COMPILED_ONCE(DECLARE)                                            \
    DECLARE struct sluice::model::Model<sluice::quant::Any, sluice::shape::Dynamic>;    \
    DECLARE struct sluice::model::Model<sluice::quant::Q4_K_M, sluice::shape::Dynamic>; \
    SLUICE_FORWARD(DECLARE, sluice::quant::Any, sluice::Half)                           \
    SLUICE_FORWARD(DECLARE, sluice::quant::Any, float)                                  \
    SLUICE_FORWARD(DECLARE, sluice::quant::Any, sluice::quant::Q8_0::Block)             \
    SLUICE_FORWARD(DECLARE, sluice::quant::Q4_K_M, sluice::Half)                        \
    DECLARE struct sluice::LoadedModel<sluice::Qwen3MoeCpu<>>;                          \
    DECLARE struct sluice::LoadedModel<sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M>>;

SLUICE_KERNELS_COMPILED_ONCE(extern template)
SLUICE_MODELS_COMPILED_ONCE(extern template)
