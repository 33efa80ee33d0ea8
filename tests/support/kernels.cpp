// SPDX-License-Identifier: Apache-2.0
#include "support/kernels.hpp"

SLUICE_TEST_KERNELS(template)
