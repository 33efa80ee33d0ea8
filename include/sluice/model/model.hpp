// SPDX-License-Identifier: Apache-2.0
//! A model ready to compute with: what a file says, as a bundle of policies sees it.
#pragma once

#include <cstddef>
#include <utility>

#include "sluice/core/status.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/interleave.hpp"
#include "sluice/model/load.hpp"
#include "sluice/model/qwen3_moe.hpp"
#include "sluice/model/shape.hpp"

namespace sluice::model {

//! P is a policy bundle (pipeline/policies.hpp).
template <class P>
struct Model {
    Hyperparameters hyperparameters;
    typename P::Shape shape;
    Weights weights;

    //! Reads and checks a file, which must outlive the model. Weights of up to `interleave_limit` bytes are copied into
    //! the kernels' own layout (model/interleave.hpp); larger ones stay where they are. Errors: those of
    //! read_hyperparameters, read_weights and shape::as. Throws std::bad_alloc.
    static Expected<Model> read(const gguf::File& file, std::size_t interleave_limit) {
        using Q = typename P::Quantization;
        SLUICE_ASSIGN(const Hyperparameters h, read_hyperparameters(file));
        auto shape = shape::as<typename P::Shape>(h.shape);
        if (!shape.ok()) return shape.status().within(file.name());
        SLUICE_ASSIGN(Weights weights, read_weights<Q>(file, h.shape));
        interleave<Q>(weights, h.shape.experts, interleave_limit);
        return Model{h, *shape, std::move(weights)};
    }
};

}  // namespace sluice::model
