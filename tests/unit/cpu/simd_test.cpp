// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/simd.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/core/math.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

//! Sixteen lanes of anything, thrice, and 128 bytes.
struct Input {
    std::array<float, 16> a, b, c;
    std::array<std::int32_t, 16> i, j;
    alignas(64) std::array<std::uint8_t, 128> bytes;
};

//! Zeros, ones, the edges of the formats and of exp, subnormals, infinities, NaN.
constexpr float special[] = {0.0F,     -0.0F,    1.0F,      -1.0F,        0x1p-126F, -0x1p-130F,  0x1p-149F, 3.4e38F,
                             -3.4e38F, infinity, -infinity, not_a_number, -87.33F,   -87.34F,     88.02F,    88.03F,
                             65519.9F, 65520.0F, 0x1p-14F,  0x1p-25F,     2049.0F,   12582912.0F, 1e-5F,     0.33333F};

Input random_input(std::mt19937& random) {
    Input in{};
    const auto any_float = [&]() -> float {
        switch (random() % 4) {
            case 0:
                return special[random() % std::size(special)];
            case 1:
                return std::bit_cast<float>(static_cast<std::uint32_t>(random()));
            default:
                return (static_cast<float>(random() % 20001) - 10000.0F) / 97.0F;
        }
    };
    for (std::size_t k = 0; k < 16; ++k) {
        in.a[k] = any_float();
        in.b[k] = any_float();
        in.c[k] = any_float();
        in.i[k] = static_cast<std::int32_t>(random() % 60001) - 30000;
        in.j[k] = static_cast<std::int32_t>(random() % 60001) - 30000;
    }
    for (std::uint8_t& byte : in.bytes) byte = static_cast<std::uint8_t>(random());
    return in;
}

//! What one operation gives: lanes as floats if it is a float operation, so that NaNs compare as NaNs, else bytes.
struct Result {
    std::string name;
    bool is_float;
    std::vector<float> floats;
    std::vector<std::uint8_t> bytes;

    bool same_as(const Result& other) const {
        return is_float ? same_bits(floats, other.floats) : bytes == other.bytes;
    }
};

//! Runs every operation of a back end. The int8 factors of dot products are kept above -128, as they promise.
template <class V>
std::vector<Result> every_operation(const Input& in) {
    std::vector<Result> results;
    const auto give_f32 = [&](std::string name, typename V::F32 value) {
        std::vector<float> lanes(16);
        V::store(lanes.data(), value);
        results.push_back({std::move(name), true, lanes, {}});
    };
    const auto give_i32 = [&](std::string name, typename V::I32 value) {
        std::array<std::int32_t, 16> lanes;
        V::store(lanes.data(), value);
        std::vector<std::uint8_t> bytes(64);
        std::memcpy(bytes.data(), lanes.data(), 64);
        results.push_back({std::move(name), false, {}, bytes});
    };
    const auto give_bytes = [&](std::string name, typename V::Bytes value) {
        std::vector<std::uint8_t> bytes(64);
        V::store_bytes(bytes.data(), value);
        results.push_back({std::move(name), false, {}, bytes});
    };

    const auto a = V::load(in.a.data()), b = V::load(in.b.data()), c = V::load(in.c.data());
    give_f32("load", a);
    give_f32("zero", V::zero());
    give_f32("set", V::set(in.a[3]));
    give_f32("add", V::add(a, b));
    give_f32("sub", V::sub(a, b));
    give_f32("mul", V::mul(a, b));
    give_f32("div", V::div(a, b));
    give_f32("fma", V::fma(a, b, c));
    give_f32("max", V::max(a, b));
    give_f32("min", V::min(a, b));
    give_f32("zero_if_less", V::zero_if_less(b, a, -0.5F));
    give_f32("sum", V::set(V::sum(a)));
    give_f32("exp", math::exp<V>(a));
    give_f32("silu", math::silu<V>(a));
    give_f32("load half", V::load(reinterpret_cast<const Half*>(in.bytes.data())));
    give_f32("set half", V::set(Half{static_cast<std::uint16_t>(in.i[0])}));
    give_f32("load bfloat16", V::load(reinterpret_cast<const BFloat16*>(in.bytes.data())));
    for (std::size_t n = 0; n <= 16; ++n) {
        give_f32("load_first " + std::to_string(n), V::load_first(in.a.data(), n));
        std::vector<float> stored(16, 7.0F);
        V::store_first(stored.data(), a, n);
        results.push_back({"store_first " + std::to_string(n), true, stored, {}});
    }
    std::array<Half, 16> halves;
    V::store(halves.data(), a);
    std::vector<float> widened;
    for (const Half half : halves) widened.push_back(to_float(half));
    results.push_back({"store half", true, widened, {}});
    std::array<float, 16> finite;
    for (std::size_t k = 0; k < 16; ++k) finite[k] = static_cast<float>(in.i[k]);
    give_f32("max_lane", V::set(V::max_lane(V::load(finite.data()))));
    typename V::F32 rows[16];
    for (std::size_t r = 0; r < 16; ++r) rows[r] = V::mul(a, V::set(finite[r]));
    give_f32("sums", V::sums(rows));

    const auto i = V::load(in.i.data()), j = V::load(in.j.data());
    const auto* int8 = reinterpret_cast<const std::int8_t*>(in.bytes.data());
    give_i32("load int8", V::load(int8 + 1));
    give_i32("set_i32", V::set_i32(in.i[0]));
    give_i32("zero_i32", V::zero_i32());
    give_i32("add i32", V::add(i, j));
    give_i32("sub i32", V::sub(i, j));
    give_i32("mul i32", V::mul(i, j));
    typename V::I32 many[16];
    for (std::size_t r = 0; r < 16; ++r) many[r] = V::set_i32(in.j[r]);
    many[3] = i;
    give_i32("sums i32", V::sums(many));
    give_f32("to_float", V::to_float(i));

    const std::uint8_t* p = in.bytes.data();
    const auto x = V::load_bytes(p), y = V::load_bytes(p + 64);
    give_bytes("set_bytes", V::set_bytes(p[0]));
    give_f32("low_half", V::low_half(x));
    give_f32("high_half", V::high_half(x));
    std::array<std::int32_t, 16> offsets;
    for (std::size_t k = 0; k < 16; ++k) offsets[k] = in.bytes[k] % 96;
    const auto* base = reinterpret_cast<const std::byte*>(p);
    give_bytes("row_words<0>", V::template row_words<0>(base, offsets.data()));
    give_bytes("row_words<1>", V::template row_words<1>(base, offsets.data()));
    give_bytes("row_words<2>", V::template row_words<2>(base, offsets.data()));
    give_bytes("row_words<3>", V::template row_words<3>(base, offsets.data()));
    std::array<std::byte, 512> interleaved;
    V::template interleave<32>(base, offsets.data(), interleaved.data());
    for (std::size_t k = 0; k < 512; k += 64) give_bytes("interleave<32>", V::load_bytes(interleaved.data() + k));
    V::template interleave<16>(base, offsets.data(), interleaved.data());
    for (std::size_t k = 0; k < 256; k += 64) give_bytes("interleave<16>", V::load_bytes(interleaved.data() + k));
    give_bytes("shift right", V::keep(V::template shift<2>(x), 63));
    give_bytes("shift left", V::keep(V::template shift<-4>(x), 0xF0));
    give_bytes("shift_twice", V::keep(V::template shift_twice<-4, 2>(p + 7), 0x30));
    give_bytes("shift_right", V::keep(V::shift_right(x, 5), 7));
    give_bytes("exchange", V::template exchange<14>(x, 0x0000CCCC));
    give_bytes("low_halves", V::low_halves(x, y));
    give_i32("byte<0>", V::template byte<0>(x));
    give_i32("byte<3>", V::template byte<3>(x));
    give_i32("signed_byte<1>", V::template signed_byte<1>(x));
    give_i32("signed_byte_pair<2>", V::template signed_byte_pair<2>(x));
    give_i32("byte_twice<1>", V::template byte_twice<1>(x));
    give_bytes("keep", V::keep(x, 0x5A));
    give_bytes("flip", V::flip(x, 0x5A));
    give_bytes("merge", V::merge(x, y, 0x30));

    std::array<std::int8_t, 64> tame;
    for (std::size_t k = 0; k < 64; ++k) tame[k] = int8[k] == -128 ? std::int8_t{127} : int8[k];
    const auto give_dots = [&]<int Max>(const std::string& name) {
        const auto none = V::template no_dots<Max>();
        auto sum = V::template dot4_each<Max>(none, V::keep(y, Max), tame.data() + 4);
        give_i32(name, V::template add_dots<Max>(i, sum));
        // The greatest products, as many as every back end has room for.
        constexpr std::size_t fit = Max <= 63 ? 32767 / (2 * 127 * Max) : 4;
        static_assert(fit <= V::template dots_fit<Max>);
        for (const std::int8_t extreme : {std::int8_t{127}, std::int8_t{-127}}) {
            const std::array<std::int8_t, 4> four = {extreme, extreme, extreme, extreme};
            sum = none;
            for (std::size_t k = 0; k < fit; ++k) {
                sum = V::template dot4_each<Max>(sum, V::set_bytes(Max), four.data());
            }
            give_i32(name + ", greatest", V::template add_dots<Max>(j, sum));
            give_i32(name + ", scaled", V::template add_scaled<Max>(j, sum, V::template signed_byte<2>(x)));
        }
    };
    give_dots.template operator()<15>("dot4_each of 15");
    give_dots.template operator()<31>("dot4_each of 31");
    give_dots.template operator()<63>("dot4_each of 63");
    give_dots.template operator()<127>("dot4_each of 127");
    give_dots.template operator()<255>("dot4_each of whole bytes");
    const auto factors = V::load_bytes(tame.data()), few = V::keep(y, 63);
    const auto eight = V::template load_scales<8>(int8 + 70), sixteen = V::template load_scales<16>(int8 + 70);
    give_i32("dot_scaled<2, 0>", V::template dot_scaled<2, 0>(i, few, factors, eight));
    give_i32("dot_scaled<2, 3>", V::template dot_scaled<2, 3>(i, few, factors, eight));
    give_i32("dot_scaled<4, 1>", V::template dot_scaled<4, 1>(i, few, factors, sixteen));
    give_i32("dot_scaled<4, 2>", V::template dot_scaled<4, 2>(i, few, factors, sixteen));
    std::array<std::int16_t, 16> words;
    for (std::size_t k = 0; k < 16; ++k) words[k] = static_cast<std::int16_t>(in.i[k]);
    const auto pairs = V::template signed_byte_pair<0>(x);
    give_i32("dot2_each", V::dot2_each(j, pairs, words.data()));
    return results;
}

template <class F>
void for_each_backend(F f) {
    [&]<class... V>(std::type_identity<std::tuple<V...>>) {
        (f.template operator()<V>(), ...);
    }(std::type_identity<simd::Backends>());
}

}  // namespace

TEST_CASE("simd: every operation of every back end gives the scalar one's bits") {
    std::mt19937 random(1);
    for (int round = 0; round < 3000; ++round) {
        const Input in = random_input(random);
        const std::vector<Result> wanted = every_operation<simd::Scalar>(in);
        for_each_backend([&]<class V>() {
            const std::vector<Result> got = every_operation<V>(in);
            REQUIRE(got.size() == wanted.size());
            for (std::size_t k = 0; k < got.size(); ++k) {
                if (got[k].same_as(wanted[k])) continue;
                FAIL_CHECK(std::string(V::name) << ": " << got[k].name << " differs in round " << round);
            }
        });
    }
}

// The scalar back end is the definition; what is not plain from its text is checked here.
TEST_CASE("simd: sums go by the fixed tree, maxima and minima drop NaN in the first place") {
    using V = simd::Scalar;
    const float lanes[16] = {1e8F, 1, 0, 0, 0, 0, 0, 0, -1e8F, 0, 0, 0, 0, 0, 0, 1};
    CHECK(V::sum(V::load(lanes)) == 2.0F);  // from left to right it would be 1
    const auto first_lane = [](V::F32 v) { return v.v[0]; };
    CHECK(first_lane(V::max(V::set(not_a_number), V::set(2.0F))) == 2.0F);
    CHECK(std::isnan(first_lane(V::max(V::set(2.0F), V::set(not_a_number)))));
    CHECK(first_lane(V::min(V::set(not_a_number), V::set(2.0F))) == 2.0F);
    CHECK(first_lane(V::fma(V::set(1.0F + 0x1p-23F), V::set(1.0F - 0x1p-23F), V::set(-1.0F))) == -0x1p-46F);
}
