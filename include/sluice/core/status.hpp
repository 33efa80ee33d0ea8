// SPDX-License-Identifier: Apache-2.0
//! Errors as values. A Status says what is wrong, where, and how to mend it; Expected<T> is a value or a Status.
#pragma once

#include <cassert>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "sluice/core/config.hpp"

namespace sluice {

//! The kind of an error, for programs that act on it; people read Status::message().
enum class Errc {
    invalid_argument,  //!< a caller's value is out of its range or of the wrong shape
    not_found,         //!< a file, key or tensor is missing
    io,                //!< the operating system failed a read, write or map
    corrupt,           //!< a file breaks its own format
    unsupported,       //!< valid, but not something Sluice (or this build's policies) can run
    out_of_capacity,   //!< the context, cache or queue is full
    numeric,           //!< NaN or infinity where a number is needed
    cancelled,         //!< the caller asked to stop
};

//! Success, or an error with its code, what went wrong, where (file, key, tensor, flag, argument) and the mend.
//! Success carries no allocation; copies of an error share it.
class [[nodiscard]] Status {
public:
    Status() = default;  //!< success

    Status(Errc code, std::string where, std::string what, std::string mend = {})
        : error_(std::make_shared<const Error>(Error{code, std::move(where), std::move(what), std::move(mend)})) {}

    bool ok() const { return error_ == nullptr; }
    explicit operator bool() const { return ok(); }
    const Status& status() const { return *this; }

    //! These four need !ok().
    Errc code() const { return get().code; }
    const std::string& where() const { return get().where; }
    const std::string& what() const { return get().what; }
    const std::string& mend() const { return get().mend; }

    //! "where: what; mend" on one line, or "ok".
    std::string message() const {
        if (ok()) return "ok";
        std::string text = where().empty() ? what() : where() + ": " + what();
        if (!mend().empty()) text += "; " + mend();
        return text;
    }

    //! The same error seen from further out: `outer` is put before where().
    Status within(std::string_view outer) const {
        if (ok()) return *this;
        std::string where_now(outer);
        if (!where().empty()) where_now += ": " + where();
        return Status(code(), std::move(where_now), what(), mend());
    }

private:
    struct Error {
        Errc code;
        std::string where, what, mend;
    };
    const Error& get() const {
        assert(error_ != nullptr);
        return *error_;
    }
    std::shared_ptr<const Error> error_;
};

//! A T, or the Status that says why there is none. Never holds a success Status.
template <class T>
class [[nodiscard]] Expected {
public:
    using value_type = T;

    // NOLINTNEXTLINE: implicit, as in return value; by reference, or nvcc would copy a local value
    Expected(T&& value) : content_(std::in_place_index<0>, std::move(value)) {}
    Expected(const T& value) : content_(std::in_place_index<0>, value) {}  // NOLINT
    //! A success is no reason for the lack of a value, and becomes an error that says so.
    Expected(Status error) : content_(std::in_place_index<1>, error.ok() ? no_value() : std::move(error)) {}  // NOLINT

    bool ok() const { return content_.index() == 0; }
    explicit operator bool() const { return ok(); }

    //! The error; needs !ok().
    const Status& status() const {
        assert(!ok());
        return *std::get_if<1>(&content_);
    }

    //! The value; need ok().
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T operator*() && { return std::move(*this).value(); }  // by value: nothing dangles in `for (x : *f())`
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    T& value() & {
        assert(ok());
        return *std::get_if<0>(&content_);
    }
    const T& value() const& {
        assert(ok());
        return *std::get_if<0>(&content_);
    }
    T value() && { return std::move(value()); }

private:
    static Status no_value() {
        return Status(Errc::invalid_argument, "Expected", "was given a success without a value", "return a value");
    }

    std::variant<T, Status> content_;
};

}  // namespace sluice
