// SPDX-License-Identifier: Apache-2.0
#include "load.hpp"

#include <atomic>
#include <span>

template struct sluice::LoadedModel<samples::Policies>;
template sluice::Status sluice::model::Forward<samples::Policies>::operator()(samples::Policies::Executor&,
                                                                              samples::Policies::KvCache&,
                                                                              std::span<const sluice::Row>,
                                                                              std::span<float>,
                                                                              const std::atomic<bool>*);
