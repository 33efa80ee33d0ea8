// SPDX-License-Identifier: Apache-2.0
//! What a law's check is given: random inputs to draw, and expectations to state. The first one broken ends the case.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "sluice/contracts/draws.hpp"
#include "sluice/contracts/show.hpp"
#include "sluice/contracts/tolerances.hpp"

namespace sluice::contracts {

//! A broken expectation, on its way from a check to the runner.
struct Broken {
    std::string message;
};

//! What a law needs and could not get, such as a file: neither kept nor broken, it ends the test.
struct CannotBegin : std::runtime_error {
    using std::runtime_error::runtime_error;
};

//! Whether two floats are the same to the bit; NaNs are, whatever their payload.
inline bool same_bits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

//! One generated case of a law. In all expectations `what` names the value that was got.
class Case : public Draws {
public:
    using Draws::Draws;

    //! Notes an input, to be shown if this case fails.
    template <class T>
    void given(std::string_view name, const T& value) {
        given_ += (given_.empty() ? "" : ", ") + std::string(name) + " = " + show(value);
    }
    const std::string& inputs() const { return given_; }

    //! How often an expectation was stated so far: a check that states none cannot fail.
    std::size_t expectations() const { return expectations_; }

    void expect(bool holds, std::string_view what) const {
        ++expectations_;
        if (!holds) throw Broken{std::string(what)};
    }

    template <class T>
    void equal(std::string_view what, const T& got, const std::type_identity_t<T>& expected) const {
        ++expectations_;
        if (!(got == expected)) broken(what, show(got), show(expected));
    }

    //! lowest <= got <= highest, which NaN is not.
    template <class T>
    void between(std::string_view what, T got, std::type_identity_t<T> lowest, std::type_identity_t<T> highest) const {
        ++expectations_;
        if (!(lowest <= got && got <= highest)) broken(what, show(got), show(lowest) + " to " + show(highest));
    }

    void near(std::string_view what, double got, double expected, Tolerance allowed) const {
        within(what, got, expected, allowed.absolute + allowed.relative * std::fabs(expected));
    }

    //! Element by element; the relative tolerance is of `magnitudes`: of what was added up, where it may cancel.
    void near(std::string_view what, std::span<const float> got, std::span<const double> expected,
              std::span<const double> magnitudes, Tolerance allowed) const {
        equal("length of " + std::string(what), got.size(), expected.size());
        for (std::size_t i = 0; i < got.size(); ++i) {
            within(element(what, i), got[i], expected[i],
                   allowed.absolute + allowed.relative * std::fabs(magnitudes[i]));
        }
    }

    void same_bits(std::string_view what, std::span<const float> got, std::span<const float> expected) const {
        equal("length of " + std::string(what), got.size(), expected.size());
        for (std::size_t i = 0; i < got.size(); ++i) {
            ++expectations_;
            if (!contracts::same_bits(got[i], expected[i])) {
                broken(element(what, i), show(got[i]), "the bits of " + show(expected[i]));
            }
        }
    }

private:
    [[noreturn]] static void broken(std::string_view what, const std::string& got, const std::string& expected) {
        throw Broken{std::string(what) + ": got " + got + ", expected " + expected};
    }

    static std::string element(std::string_view what, std::size_t i) {
        return std::string(what) + "[" + to_text(i) + "]";
    }

    void within(std::string_view what, double got, double expected, double error) const {
        ++expectations_;
        if (!(std::fabs(got - expected) <= error)) broken(what, show(got), show(expected) + " within " + show(error));
    }

    std::string given_;
    mutable std::size_t expectations_ = 0;  // a count, not a part of the case
};

}  // namespace sluice::contracts
