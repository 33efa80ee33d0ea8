// SPDX-License-Identifier: Apache-2.0
#include "support/compiled_once.hpp"

SLUICE_COMPILED_ONCE(template)
