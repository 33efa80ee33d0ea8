// SPDX-License-Identifier: Apache-2.0
//! A Qwen3-MoE model (Qwen team 2025, arXiv 2505.09388): its hyper-parameters and its weights.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sluice/concepts/experts.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/model/rope.hpp"
#include "sluice/model/shape.hpp"

namespace sluice::model {

//! What the file's metadata says.
struct Hyperparameters {
    shape::Dynamic shape;      //!< the sizes
    std::size_t context = 0;   //!< positions the model was made for
    float rms_eps = 0.0F;      //!< in every normalization
    double rope_theta = 0.0;   //!< base of the rotary frequencies: 1e6 in the first release, 1e7 in later ones
    RopeScaling rope_scaling;  //!< none, unless the file states one
};

//! One transformer layer.
struct LayerWeights {
    std::span<const float> attention_norm;  //!< [hidden]
    Matrix q;                               //!< [heads * head_dim, hidden]
    Matrix k;                               //!< [kv_heads * head_dim, hidden]
    Matrix v;                               //!< [kv_heads * head_dim, hidden]
    std::span<const float> q_norm;          //!< [head_dim], applied to each head
    std::span<const float> k_norm;          //!< [head_dim]
    Matrix o;                               //!< [hidden, heads * head_dim]
    std::span<const float> ff_norm;         //!< [hidden]
    Matrix router;                          //!< [experts, hidden]
    ExpertWeights experts;
};

//! All weights, as views into the file that they were read from, or into `copies`.
struct Weights {
    Matrix embedding;  //!< [vocab, hidden]
    std::vector<LayerWeights> layers;
    std::span<const float> output_norm;  //!< [hidden]
    Matrix output;                       //!< [vocab, hidden]; the embedding itself where the file ties them
    Buffer<std::byte> copies;            //!< of matrices in another layout than the file's: see model/interleave.hpp
};

}  // namespace sluice::model
