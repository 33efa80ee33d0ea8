// SPDX-License-Identifier: Apache-2.0
//! An error must not be dropped by accident.
// EXPECT: ignoring return
#include "sluice/core/status.hpp"

sluice::Status load();

void start() { load(); }
