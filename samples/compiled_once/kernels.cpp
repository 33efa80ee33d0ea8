// SPDX-License-Identifier: Apache-2.0
#include "compiled_once.hpp"

SLUICE_KERNELS_COMPILED_ONCE(template)
