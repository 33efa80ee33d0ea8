// SPDX-License-Identifier: Apache-2.0
//! How kernels run on an NVIDIA GPU; for nvcc, with the flags of the target sluice::cuda: without --fmad=false the bits
//! are not the CPU's.
#pragma once

#include <cstdint>
#include <cuda_runtime.h>

#include "sluice/cuda/context.hpp"
#include "sluice/cuda/gpu.hpp"

namespace sluice::cuda {

//! One thread of a kernel on a GPU.
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
};

static_assert(ThreadContext<GpuContext>);

namespace detail {

//! Four blocks a multiprocessor at least: tests/cuda/check_kernels.sh sees that no registers are spilled for that.
template <class Kernel>
__global__ void __launch_bounds__(Kernel::threads, 4) run_on_gpu(const Kernel kernel) {
    GpuContext thread;
    kernel(thread);
}

}  // namespace detail

template <class Kernel>
void Gpu::launch(const Kernel& kernel, Dim grid) {
    detail::run_on_gpu<<<dim3(grid.x, grid.y, grid.z), Kernel::threads, 0, stream_>>>(kernel);
    keep(cudaGetLastError(), "launch");
}

}  // namespace sluice::cuda
