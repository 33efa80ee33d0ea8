// SPDX-License-Identifier: Apache-2.0
//! The kernels of the tests and benchmarks that run on a GPU.
#include <tuple>

#include "cuda/cache_kernels.hpp"
#include "cuda/multiply_fragments.hpp"
#include "cuda/policies_on.hpp"
#include "cuda/tiles.hpp"
#include "sluice/cuda/gpu.cuh"

namespace sluice {  // where `cuda` is ours, and not the toolkit's

using cuda::Gpu;

template class cuda::Forward<Qwen3MoeCuda<>>;  // of benchmarks/gpu, too
template class cuda::Forward<Qwen3MoeHybrid<>>;
template class cuda::Forward<test::SampledOnHost<Gpu, quant::Any>>;
template class cuda::Forward<test::PoliciesOn<Gpu, quant::Any>>;
template class cuda::Forward<test::PoliciesOn<Gpu, quant::Any, float>>;
template class cuda::Forward<test::PoliciesOn<Gpu, quant::Any, quant::Q8_0::Block>>;

namespace test {

//! What launches kernels that tests ask for one by one: its address is taken, so it is compiled here.
template <class... Kernel>
struct Launches {
    static constexpr std::tuple<void (Gpu::*)(const Kernel&, cuda::Dim)...> all = {&Gpu::launch<Kernel>...};
};
template struct Launches<cuda::QuantizeRows, cuda::NormalizeRows, cuda::Rotations, cuda::FoldSpans, cuda::RouteRows,
                         cuda::GroupByExpert, cuda::CombineExperts, MultiplyFragments>;
template struct Launches<cuda::GateUp<quant::F32, cuda::tuning::one_row>, cuda::Down<quant::F32>,
                         cuda::GateUp<quant::F32, cuda::tuning::few_rows>, cuda::GroupedDown<quant::F32>>;
template struct Launches<cuda::Linear<quant::Q4_K, other_linear_tile>, cuda::Linear<quant::F32, other_linear_tile>,
                         cuda::MmaLinear<quant::Q4_K, other_mma_tile>>;

template <class Unit>
struct CacheLaunches {
    static constexpr auto all = Launches<StoreRow<Unit>, FillCache<Unit>, cuda::RotateHeads<Unit>,
                                         cuda::AttendSpans<Unit>, cuda::AttendTile<Unit>>::all;
};
template struct CacheLaunches<float>;
template struct CacheLaunches<Half>;
template struct CacheLaunches<quant::Q8_0::Block>;

template <class F>
struct FormatLaunches {
    static constexpr auto all = Launches<cuda::Repack<F>, cuda::Embed<F>, cuda::Linear<F, cuda::tuning::one_row>,
                                         cuda::Linear<F, cuda::tuning::few_rows>>::all;
};
template struct FormatLaunches<quant::Q4_K>;
template struct FormatLaunches<quant::Q5_K>;
template struct FormatLaunches<quant::Q6_K>;
template struct FormatLaunches<quant::Q8_0>;
template struct FormatLaunches<quant::Q4_0>;
template struct FormatLaunches<quant::Q5_0>;
template struct FormatLaunches<quant::F32>;
template struct FormatLaunches<quant::F16>;
template struct FormatLaunches<quant::BF16>;
template struct Launches<cuda::MmaLinear<quant::Q4_K>, cuda::MmaLinear<quant::Q5_K>, cuda::MmaLinear<quant::Q6_K>,
                         cuda::MmaLinear<quant::Q8_0>, cuda::MmaLinear<quant::Q4_0>, cuda::MmaLinear<quant::Q5_0>>;

template <class F>
struct ExpertLaunches {
    static constexpr auto all = Launches<cuda::GateUp<F, cuda::tuning::few_rows>, cuda::GroupedDown<F>,
                                         cuda::MmaGateUp<F>, cuda::MmaDown<F>>::all;
};
template struct ExpertLaunches<quant::Q4_K>;
template struct ExpertLaunches<quant::Q8_0>;

}  // namespace test
}  // namespace sluice
