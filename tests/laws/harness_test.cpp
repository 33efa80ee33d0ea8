// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/mutants/router_mutants.hpp"

using namespace sluice;
using namespace sluice::contracts;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

//! Fails in the case with the seed 7 alone.
const Law breaks_at_seven{"harness.not_seven", "No seed is seven.", [](Case& c) {
                              c.given("half", static_cast<double>(c.seed()) / 2);
                              c.near("seed", static_cast<double>(c.seed()) + (c.seed() == 7 ? 0.25 : 0.0),
                                     static_cast<double>(c.seed()), {0.0, 0.125});
                          }};
const Law always_kept{"harness.kept", "Whatever \"it\" is.", [](Case&) {}, 20};  // states no expectation

//! The reason why this check fails in its first case, or "".
std::string reason(std::function<void(Case&)> check) {
    const auto failure = run_case({"harness.reason", "", std::move(check)}, 1).failure;
    return failure ? failure->reason : "";
}

//! An empty directory, removed at the end.
struct Directory {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("sluice_harness_" + to_text(reinterpret_cast<std::uintptr_t>(this)));
    Directory() { std::filesystem::remove_all(path); }
    ~Directory() { std::filesystem::remove_all(path); }

    std::vector<nlohmann::json> records() const {
        std::vector<nlohmann::json> found;
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            std::ifstream file(entry.path());
            for (std::string line; std::getline(file, line);) found.push_back(nlohmann::json::parse(line));
        }
        return found;
    }
};

}  // namespace

TEST_CASE("harness: a failure names the law, the policy, the seed, both values, the statement and the input") {
    const Verdict verdict = run_law(breaks_at_seven, "MyPolicy", 1);
    REQUIRE(!verdict.passed());
    CHECK(verdict.cases == 7);
    CHECK(verdict.message() ==
          "harness.not_seven on MyPolicy, seed 7: seed: got 7.25, expected 7 within 0.125\n"
          "  the law: No seed is seven.\n"
          "  the input: half = 3.5\n"
          "  SLUICE_LAW_SEED=7 begins with this case");
    CHECK(run_law(breaks_at_seven, "MyPolicy", 7).cases == 1);
    CHECK(run_law(breaks_at_seven, "MyPolicy", 8).cases == 1000);
}

TEST_CASE("harness: a wrong router's failure is told in full") {
    const auto laws = router_law_list<mutants::RouterPickingTwice>();
    const Law* law = find_law(laws, "router.distinct_experts");
    REQUIRE(law != nullptr);
    const Verdict verdict = run_law(*law, "MyRouter", 1);
    REQUIRE(!verdict.passed());
    CHECK(contains(verdict.message(), "router.distinct_experts on MyRouter, seed "));
    CHECK(contains(verdict.message(), " is chosen twice\n"));
    CHECK(contains(verdict.message(), "logits = {"));
}

TEST_CASE("harness: a test case with a broken policy fails" * doctest::should_fail()) {
    check_laws("MyPolicy", {breaks_at_seven}, {});
}

TEST_CASE("harness: a test case with a surviving mutant fails" * doctest::should_fail()) {
    check_mutants({{"does nothing wrong", "harness.kept", {always_kept}}}, {});
}

TEST_CASE("harness: a test case with a law that no mutant breaks fails" * doctest::should_fail()) {
    check_mutants({{"is seven", "harness.not_seven", {breaks_at_seven, always_kept}}}, {});
}

TEST_CASE("harness: a mutant is caught by the law that it names, or has survived") {
    const Autopsy caught = run_mutant({"is seven", "harness.not_seven", {always_kept, breaks_at_seven}}, 1);
    CHECK(caught.killed());
    CHECK(caught.message() == "the mutant that is seven was caught by harness.not_seven");
    const Autopsy by_another = run_mutant({"is seven", "harness.kept", {always_kept, breaks_at_seven}}, 1);
    CHECK(!by_another.killed());
    CHECK(by_another.message() == "the mutant that is seven survived harness.kept; caught by harness.not_seven");
    const Autopsy by_none = run_mutant({"is six", "harness.kept", {always_kept}}, 1);
    CHECK(by_none.message() == "the mutant that is six survived harness.kept; caught by none");
    CHECK(laws_without_mutant({{"is seven", "harness.not_seven", {always_kept, breaks_at_seven, always_kept}}}) ==
          std::vector<std::string_view>{"harness.kept"});
}

TEST_CASE("harness: the expectations hold and fail where they should, and say both values") {
    CHECK(reason([](Case& c) { c.equal("n", 2, 2); }).empty());
    CHECK(reason([](Case& c) { c.equal("n", 2, 3); }) == "n: got 2, expected 3");
    CHECK(reason([](Case& c) { c.equal("t", std::string("a\n"), "b"); }) == R"(t: got "a\n", expected "b")");
    CHECK(reason([](Case& c) { c.equal("v", std::vector{1, 2}, {1}); }) == "v: got {1, 2}, expected {1}");
    CHECK(reason([](Case& c) { c.expect(false, "it rains"); }) == "it rains");
    CHECK(reason([](Case& c) { c.between("x", 1.0F, 0.0F, 1.0F); }).empty());
    CHECK(reason([](Case& c) { c.between("x", 1.5F, 0.0F, 1.0F); }) == "x: got 1.5, expected 0 to 1");
    CHECK(reason([](Case& c) { c.between("x", std::nan(""), 0.0, 1.0); }) == "x: got nan, expected 0 to 1");
    CHECK(reason([](Case& c) { c.near("x", 101.0, 100.0, {0.01, 0.0}); }).empty());
    CHECK(reason([](Case& c) { c.near("x", 102.0, 100.0, {0.01, 0.0}); }) == "x: got 102, expected 100 within 1");
    CHECK(reason([](Case& c) {
              c.near("x", std::nan(""), 100.0, {0.01, 0.0});
          }) == "x: got nan, expected 100 within 1");
    const auto near_y = [](Case& c, const std::vector<float>& got) {
        c.near("y", got, std::vector{1.0, 0.25}, std::vector{1.0, -2.0}, {0.125, 0.0});
    };
    CHECK(reason([near_y](Case& c) { near_y(c, {1.0F, 0.5F}); }).empty());
    CHECK(reason([near_y](Case& c) { near_y(c, {1.0F, 0.625F}); }) == "y[1]: got 0.625, expected 0.25 within 0.25");
    CHECK(reason([near_y](Case& c) { near_y(c, {1.0F}); }) == "length of y: got 1, expected 2");
    CHECK(reason([](Case& c) { c.same_bits("z", std::vector{0.0F}, std::vector{-0.0F}); }) ==
          "z[0]: got 0, expected the bits of -0");
    CHECK(reason([](Case& c) { c.same_bits("z", std::vector{std::nanf("1")}, std::vector{std::nanf("2")}); }).empty());
    CHECK(reason([](Case&) { throw std::runtime_error("no"); }) == "it threw no");
    CHECK(reason([](Case&) { throw 7; }) == "it threw what is no std::exception");
    CHECK(show(std::vector<int>(30, 1)).ends_with(", 1, ... 30 in all}"));
    CHECK(show(std::vector<ExpertChoice>{{3, 0.5F}}) == "{0.5 x expert 3}");
}

TEST_CASE("harness: the expectations of all cases are counted, each element of a row as one") {
    const auto stated = [](std::function<void(Case&)> check) {
        return run_law({"harness.counted", "", std::move(check), 10}, "P", 1).expectations;
    };
    const std::vector<float> floats = {1.0F, 2.0F};
    const std::vector<double> doubles = {1.0, 2.0};
    CHECK(stated([](Case&) {}) == 0);
    CHECK(stated([](Case& c) { c.given("n", c.integer(0, 9)); }) == 0);
    CHECK(stated([](Case& c) { c.expect(true, ""); }) == 10);
    CHECK(stated([](Case& c) { c.equal("n", 2, 2); }) == 10);
    CHECK(stated([](Case& c) { c.between("x", 1, 0, 2); }) == 10);
    CHECK(stated([](Case& c) { c.near("x", 1.0, 1.0, {}); }) == 10);
    CHECK(stated([&](Case& c) { c.near("y", floats, doubles, doubles, {}); }) == 30);  // and their number
    CHECK(stated([&](Case& c) { c.same_bits("z", floats, floats); }) == 30);
    CHECK(stated([](Case& c) { c.expect(c.seed() < 3, "three"); }) == 3);  // the broken one, too
}

TEST_CASE("harness: the same seed draws the same, another seed others") {
    Draws a(5), same(5), other(6);
    const auto first = a.hostile_logits(100), second = same.hostile_logits(100);
    CHECK(std::equal(first.begin(), first.end(), second.begin(),
                     [](float x, float y) { return contracts::same_bits(x, y); }));
    CHECK(a.bits() == same.bits());
    CHECK(a.bits() != other.bits());
    // Pinned: a seed that failed elsewhere must fail here.
    Draws pinned(42);
    CHECK(pinned.bits() == 8643895580192075859U);
    CHECK(pinned.integer(-5, 5) == 3);
    CHECK(pinned.normal() == 0x1.7d8e0cf244c57p+0);
}

TEST_CASE("harness: draws keep their bounds and reach all of them") {
    Draws d(1);
    std::set<int> integers;
    std::set<std::size_t> shuffled;
    double sum = 0.0, square = 0.0;
    for (int i = 0; i < 4000; ++i) {
        integers.insert(d.integer(-2, 2));
        const double x = d.real(2.0, 3.0);
        CHECK((x >= 2.0 && x < 3.0));
        const double y = d.normal();
        sum += y;
        square += y * y;
    }
    CHECK(integers == std::set<int>{-2, -1, 0, 1, 2});
    CHECK(std::fabs(sum / 4000) < 0.06);
    CHECK(square / 4000 == doctest::Approx(1.0).epsilon(0.08));
    for (const std::size_t i : d.shuffled(50)) shuffled.insert(i);
    CHECK(shuffled.size() == 50);
    CHECK(d.integer<std::uint64_t>(0, std::numeric_limits<std::uint64_t>::max()) != 0);
}

TEST_CASE("harness: logits are of all kinds: ties, subnormals, zeros of both signs, huge; NaN only where asked for") {
    Draws d(2);
    bool ties = false, subnormal = false, negative_zero = false, huge = false, nan = false, infinite = false;
    for (int i = 0; i < 500; ++i) {
        const std::vector<float> logits = d.logits(12);
        CHECK(std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); }));
        ties = ties || std::set<float>(logits.begin(), logits.end()).size() < logits.size();
        for (const float x : logits) {
            subnormal = subnormal || std::fpclassify(x) == FP_SUBNORMAL;
            negative_zero = negative_zero || (x == 0.0F && std::signbit(x));
            huge = huge || std::fabs(x) > 1e37F;
        }
        for (const float x : d.hostile_logits(12)) {
            nan = nan || std::isnan(x);
            infinite = infinite || std::isinf(x);
        }
    }
    CHECK((ties && subnormal && negative_zero && huge && nan && infinite));
}

TEST_CASE("harness: a law that cannot begin is neither kept nor a kill") {
    const Law law{"harness.no_file", "It has a file.", [](Case&) { throw CannotBegin("no file"); }};
    CHECK_THROWS_WITH_AS(run_law(law, "P", 1), "no file", CannotBegin);
    CHECK_THROWS_WITH_AS(run_mutant({"has none", "harness.no_file", {law}}, 1), "no file", CannotBegin);
}

TEST_CASE("harness: the runs leave records that parse") {
    const Directory directory;
    const Run run{1, directory.path};
    check_laws("A \"quoted\" policy", {always_kept}, run);
    check_laws("A \"quoted\" policy", {always_kept}, run);  // replaces the first
    check_mutants({{"is seven", "harness.not_seven", {breaks_at_seven}}}, run);
    auto records = directory.records();
    REQUIRE(records.size() == 2);
    if (records[0].contains("mutant")) std::swap(records[0], records[1]);
    records[0].erase("milliseconds");
    const std::string test_case = "harness: the runs leave records that parse";
    const std::string program = std::filesystem::canonical("/proc/self/exe");
    CHECK(records[0] == nlohmann::json{{"law", "harness.kept"},
                                       {"statement", "Whatever \"it\" is."},
                                       {"concept", "harness"},
                                       {"subject", "A \"quoted\" policy"},
                                       {"program", program},
                                       {"test_case", test_case},
                                       {"cases", 20},
                                       {"expectations", 0},
                                       {"passed", true},
                                       {"seed", 1}});
    CHECK(records[1] == nlohmann::json{{"mutant", "is seven"},
                                       {"concept", "harness"},
                                       {"law", "harness.not_seven"},
                                       {"program", program},
                                       {"test_case", test_case},
                                       {"killed_by", {"harness.not_seven"}},
                                       {"killed", true}});
    const auto failed = nlohmann::json::parse(record_of(run_law(breaks_at_seven, "P", 5), "t"));
    CHECK(failed["passed"] == false);
    CHECK(failed["failed_seed"] == 7);
    const auto survivor = nlohmann::json::parse(record_of(Autopsy{"m", "l.x", {}}, "t"));
    CHECK(survivor["killed_by"].empty());
    CHECK(survivor["killed"] == false);
}

TEST_CASE("harness: records that cannot be written are an error, and none are written without a directory") {
    const Status status = write_records("/dev/null/records", "title", "{}\n");
    REQUIRE(!status.ok());
    CHECK(contains(status.message(), "/dev/null/records"));
    CHECK(contains(status.message(), "SLUICE_LAW_RECORDS"));
    CHECK(write_records({}, "title", "{}\n").ok());
}
