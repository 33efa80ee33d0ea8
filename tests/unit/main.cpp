// SPDX-License-Identifier: Apache-2.0
//! main() of every test program.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "../case_records.hpp"
#include "../skip.hpp"

int main(int argc, char** argv) {
    const int failed = doctest::Context(argc, argv).run();
    constexpr int shown_as_skipped = 77;
    return failed == 0 && sluice::test::skipped ? shown_as_skipped : failed;
}
