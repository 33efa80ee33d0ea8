// SPDX-License-Identifier: Apache-2.0
//! One of two translation units that include everything: a function that is not inline would be defined twice.
#include "sluice/sluice.hpp"

int main() {}
