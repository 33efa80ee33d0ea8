// SPDX-License-Identifier: Apache-2.0
//! An NVIDIA GPU as a backend: one stream, plain allocations, errors kept for finish(). Any compiler takes this header;
//! the kernels are compiled by nvcc, in one .cu file of the program (docs/cuda.md) that includes cuda/gpu.cuh.
#pragma once

#include <cstddef>
#include <cuda_runtime_api.h>
#include <string>
#include <utility>

#include "sluice/core/status.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/logits.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/policies.hpp"

namespace sluice::cuda {

//! The GPU that is current in the thread that creates it.
class Gpu {
public:
    //! An error where there is no GPU, or its driver is too old for this program.
    static Expected<Gpu> create() {
        Gpu gpu;
        gpu.keep(cudaStreamCreate(&gpu.stream_), "stream");
        gpu.keep(cudaEventCreateWithFlags(&gpu.mark_, cudaEventDisableTiming), "event");
        int device = 0, generation = 0;
        gpu.keep(cudaGetDevice(&device), "device");
        gpu.keep(cudaDeviceGetAttribute(&generation, cudaDevAttrComputeCapabilityMajor, device), "device");
        gpu.launches_early_ = generation >= 9;
        SLUICE_TRY(gpu.finish());
        return gpu;
    }

    Gpu(Gpu&& other) noexcept
        : stream_(std::exchange(other.stream_, nullptr)),
          mark_(std::exchange(other.mark_, nullptr)),
          launches_early_(other.launches_early_),
          failure_(std::exchange(other.failure_, {})) {}
    Gpu& operator=(Gpu&& other) noexcept {
        std::swap(stream_, other.stream_);
        std::swap(mark_, other.mark_);
        std::swap(launches_early_, other.launches_early_);
        std::swap(failure_, other.failure_);
        return *this;
    }
    ~Gpu() {
        if (mark_ != nullptr) cudaEventDestroy(mark_);
        if (stream_ != nullptr) cudaStreamDestroy(stream_);
    }

    static constexpr std::size_t size() { return 1; }  //!< threads of the host that a forward pass takes

    MemoryUse memory() {
        MemoryUse use;
        keep(cudaMemGetInfo(&use.free, &use.total), "memory");
        return use;
    }

    static void* allocate(std::size_t bytes) {
        void* p = nullptr;
        if (cudaMalloc(&p, bytes) == cudaSuccess) return p;
        (void)cudaGetLastError();  // a full memory is told by the nullptr alone
        return nullptr;
    }
    static void release(void* p) { cudaFree(p); }

    static void* allocate_host(std::size_t bytes) {
        void* p = nullptr;
        if (cudaMallocHost(&p, bytes) == cudaSuccess) return p;
        (void)cudaGetLastError();
        return nullptr;
    }
    static void release_host(void* p) { cudaFreeHost(p); }

    void to_device(void* to, const void* from, std::size_t bytes) {
        keep(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "copy to the device");
    }
    void to_host(void* to, const void* from, std::size_t bytes) {
        keep(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_), "copy to the host");
    }

    //! Defined in cuda/gpu.cuh.
    template <class Kernel>
    void launch(const Kernel& kernel, Dim grid);

    //! Launches as one thing: a CUDA graph.
    class Graph {
    public:
        Graph() = default;
        Graph(Graph&& other) noexcept : graph_(std::exchange(other.graph_, nullptr)) {}
        Graph& operator=(Graph&& other) noexcept {
            std::swap(graph_, other.graph_);
            return *this;
        }
        ~Graph() {
            if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
        }

    private:
        friend class Gpu;
        cudaGraphExec_t graph_ = nullptr;
    };
    template <class Enqueue>
    void record(Graph& graph, Enqueue enqueue) {
        graph = {};
        cudaGraph_t recorded = nullptr;
        keep(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "graph");
        enqueue();
        keep(cudaStreamEndCapture(stream_, &recorded), "graph");
        keep(cudaGraphInstantiate(&graph.graph_, recorded, 0), "graph");
        if (recorded != nullptr) cudaGraphDestroy(recorded);
    }
    void launch(const Graph& graph) { keep(cudaGraphLaunch(graph.graph_, stream_), "graph"); }

    //! Waits for all launches and copies; the first error since the last call.
    Status finish() {
        if (stream_ != nullptr) keep(cudaStreamSynchronize(stream_), "stream");
        return first_failure();
    }

    void mark() { keep(cudaEventRecord(mark_, stream_), "event"); }
    //! The same for what came before the last mark().
    Status wait_for_mark() {
        keep(cudaEventSynchronize(mark_), "event");
        return first_failure();
    }

private:
    struct Failure {
        cudaError_t error = cudaSuccess;
        const char* where = "";
    };

    Gpu() = default;

    Status first_failure() {
        const Failure first = std::exchange(failure_, {});
        if (first.error == cudaSuccess) return {};
        return Status(Errc::io, std::string("cuda: ") + first.where, cudaGetErrorString(first.error),
                      "see that nvidia-smi lists the GPU and that its driver is as new as this program's CUDA");
    }

    void keep(cudaError_t error, const char* where) {
        if (error != cudaSuccess && failure_.error == cudaSuccess) failure_ = {error, where};
    }

    cudaStream_t stream_ = nullptr;
    cudaEvent_t mark_ = nullptr;
    bool launches_early_ = false;  // programmatic dependent launch: Hopper and later
    Failure failure_;              // the first one
};

static_assert(Device<Gpu>);

extern template class DeviceLogits<Gpu>;  // in cuda/gpu.cuh

}  // namespace sluice::cuda

namespace sluice {

//! Qwen3-MoE on an NVIDIA GPU, for weights in the formats of Q.
template <class Q = quant::Any>
using Qwen3MoeCuda = Qwen3MoeOn<cuda::Gpu, Q>;

//! The same with experts on the CPU, for models larger than the GPU's memory.
template <class Q = quant::Any>
using Qwen3MoeHybrid = Qwen3MoeHybridOn<cuda::Gpu, Q>;

}  // namespace sluice
