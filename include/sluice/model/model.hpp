// SPDX-License-Identifier: Apache-2.0
//! A model ready to compute with: what a file says, as a bundle of policies sees it.
#pragma once

#include <cstddef>
#include <utility>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/status.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/interleave.hpp"
#include "sluice/model/load.hpp"
#include "sluice/model/qwen3_moe.hpp"
#include "sluice/model/shape.hpp"

namespace sluice::model {

//! Q has the formats that its weights may have.
template <Quantization Q, shape::Shape S>
struct Model {
    Hyperparameters hyperparameters;
    S shape;
    Weights weights;

    //! Reads and checks a file, which must outlive the model. Weights of up to `interleave_limit` bytes are copied into
    //! the kernels' own layout (model/interleave.hpp); larger ones stay where they are. Errors: those of
    //! read_hyperparameters, read_weights and shape::as. Throws std::bad_alloc.
    //!
    //! Defined below the class, as what takes long to compile is: see Forward::operator().
    static Expected<Model> read(const gguf::File& file, std::size_t interleave_limit);
};

template <Quantization Q, shape::Shape S>
Expected<Model<Q, S>> Model<Q, S>::read(const gguf::File& file, std::size_t interleave_limit) {
    SLUICE_ASSIGN(const Hyperparameters h, read_hyperparameters(file));
    auto shape = shape::as<S>(h.shape);
    if (!shape.ok()) return shape.status().within(file.name());
    SLUICE_ASSIGN(Weights weights, read_weights<Q>(file, h.shape));
    interleave<Q>(weights, h.shape.experts, interleave_limit);
    return Model{h, *shape, std::move(weights)};
}

//! As the bundle P (pipeline/policies.hpp) sees it.
template <class P>
using ModelOf = Model<typename P::Quantization, typename P::Shape>;

}  // namespace sluice::model
