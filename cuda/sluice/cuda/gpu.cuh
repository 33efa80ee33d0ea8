// SPDX-License-Identifier: Apache-2.0
//! How kernels run on an NVIDIA GPU; for nvcc, with the flags of the target sluice::cuda: without --fmad=false the bits
//! are not the CPU's.
#pragma once

#include <cstdint>
#include <cub/block/block_scan.cuh>
#include <cuda_runtime.h>
#include <nv/target>

#include "sluice/cuda/context.hpp"
#include "sluice/cuda/gpu.hpp"
#include "sluice/cuda/tuning.hpp"

namespace sluice::cuda {

//! One thread of a kernel on a GPU, whose blocks have so many.
template <unsigned Threads>
class GpuContext {
public:
    __device__ Dim block() const { return {blockIdx.x, blockIdx.y, blockIdx.z}; }
    __device__ unsigned thread() const { return threadIdx.x; }
    __device__ void barrier() { __syncthreads(); }
    __device__ void sync_warp() { __syncwarp(); }

    template <class T>
    __device__ T shuffle_xor(T value, unsigned mask) {
        return __shfl_xor_sync(0xFFFFFFFFU, value, static_cast<int>(mask));
    }

    template <class T>
    __device__ T least(T value) {
        T mine, least;
        scan(
            value, mine, [](T a, T b) { return a < b ? a : b; }, least);
        return least;
    }
    template <class T>
    __device__ BlockSum<T> sum(T value) {
        T mine, total;
        scan(
            value, mine, [](T a, T b) { return a + b; }, total);
        return {mine - value, total};
    }

    __device__ unsigned add(unsigned& to, unsigned value) { return atomicAdd(&to, value); }
    __device__ std::uint64_t add(std::uint64_t& to, std::uint64_t value) {
        return atomicAdd(reinterpret_cast<unsigned long long*>(&to), value);
    }

    template <class T>
    __device__ T& shared() {
        __shared__ alignas(alignof(T) > 16 ? alignof(T) : 16) unsigned char memory[sizeof(T)];
        return *reinterpret_cast<T*>(memory);
    }

    __device__ std::int32_t dot4(std::int32_t acc, std::uint32_t a, std::uint32_t b) {
        return __dp4a(static_cast<std::int32_t>(a), static_cast<std::int32_t>(b), acc);
    }

    __device__ void mma(std::int32_t (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
        asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
            "{%0, %1, %2, %3};"
            : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }

private:
    template <class T, class Op>
    __device__ void scan(T value, T& mine, Op op, T& all) {
        using Scan = cub::BlockScan<T, Threads>;
        __shared__ typename Scan::TempStorage memory;
        Scan(memory).InclusiveScan(value, mine, op, all);
        __syncthreads();  // the memory is used again
    }
};

static_assert(ThreadContext<GpuContext<128>>);

namespace detail {

//! Where the GPU can, the blocks of the next kernel are put on the multiprocessors as soon as there is room for them,
//! and wait there, before they touch memory, for the end of this one: the way to a launch is hidden, the order is not
//! changed. tests/cuda/check_kernels.sh sees that no registers are spilled for the resident blocks.
template <class Kernel>
__global__ void __launch_bounds__(Kernel::threads, tuning::resident_blocks<Kernel>()) run_on_gpu(const Kernel kernel) {
    NV_IF_TARGET(NV_PROVIDES_SM_90, (cudaTriggerProgrammaticLaunchCompletion(); cudaGridDependencySynchronize();))
    GpuContext<Kernel::threads> thread;
    kernel(thread);
}

}  // namespace detail

template <class Kernel>
void Gpu::launch(const Kernel& kernel, Dim grid) {
    cudaLaunchAttribute early = {};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(grid.x, grid.y, grid.z);
    config.blockDim = dim3(Kernel::threads);
    config.stream = stream_;
    config.attrs = &early;
    config.numAttrs = launches_early_ ? 1 : 0;
    keep(cudaLaunchKernelEx(&config, detail::run_on_gpu<Kernel>, kernel), "launch");
}

template class DeviceLogits<Gpu>;  // the sampler's launches

}  // namespace sluice::cuda
