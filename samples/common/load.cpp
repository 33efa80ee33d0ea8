// SPDX-License-Identifier: Apache-2.0
#include "load.hpp"

template struct sluice::LoadedModel<samples::Policies>;
