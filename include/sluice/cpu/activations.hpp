// SPDX-License-Identifier: Apache-2.0
//! A batch of activation rows, quantized once for all matrices that read them.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/checked.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cpu/quantize.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::cpu {

//! The int8 forms in which a batch is read: those that some matrix of its readers asks for.
struct ActivationForms {
    bool q8_32 = false;   //!< quant::Q8View<32>
    bool q8_256 = false;  //!< quant::Q8View<256>

    //! What the format of `matrix` reads.
    template <Quantization Q>
    void add(const Matrix& matrix) {
        Q::visit(matrix.format, [this]<class F>() {
            q8_32 = q8_32 || std::same_as<typename F::Activation, quant::Q8View<32>>;
            q8_256 = q8_256 || std::same_as<typename F::Activation, quant::Q8View<256>>;
        });
    }
};

//! Rows [rows, k] of floats, each with its int8 forms.
template <class V = simd::Native>
class Activations {
public:
    //! k is a multiple of the block size of every form.
    Activations(std::size_t rows, std::size_t k, ActivationForms forms)
        : k_(k),
          forms_(forms),
          floats_(array_size(rows, k)),
          q8_32_(forms.q8_32 ? array_size(rows, quant::Q8View<32>::row_bytes(k)) : 0),
          q8_256_(forms.q8_256 ? array_size(rows, quant::Q8View<256>::row_bytes(k)) : 0) {}

    std::size_t k() const { return k_; }
    float* row(std::size_t r) { return floats_.data() + r * k_; }
    const float* row(std::size_t r) const { return floats_.data() + r * k_; }

    //! Derives the int8 forms of row r from its floats. Different rows may be quantized by different threads at once.
    void quantize(std::size_t r) {
        const std::span<const float> x(row(r), k_);
        if (forms_.q8_32) quantize_row<32, V>(x, q8_32_.data() + r * quant::Q8View<32>::row_bytes(k_));
        if (forms_.q8_256) quantize_row<256, V>(x, q8_256_.data() + r * quant::Q8View<256>::row_bytes(k_));
    }

    //! Row r in the form that a format's Activation names; valid once quantized.
    template <class View>
    View view(std::size_t r) const {
        if constexpr (std::same_as<View, quant::F32View>) {
            return {row(r)};
        } else {
            const Buffer<std::byte>& rows = View::block_size == 32 ? q8_32_ : q8_256_;
            return View::at(rows.data() + r * View::row_bytes(k_), k_);
        }
    }

private:
    std::size_t k_;
    ActivationForms forms_;
    Buffer<float> floats_;
    Buffer<std::byte> q8_32_, q8_256_;
};

}  // namespace sluice::cpu
