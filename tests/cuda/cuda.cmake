# SPDX-License-Identifier: Apache-2.0
# cuda: the kernels compile for GPUs, within a budget of registers (where SLUICE_COMPILER_TESTS is `all`). gpu: what needs a GPU; built with SLUICE_CUDA.
find_program(SLUICE_NVCC nvcc HINTS /usr/local/cuda/bin)
mark_as_advanced(SLUICE_NVCC)

if(SLUICE_COMPILER_TESTS STREQUAL all)
    get_target_property(cuda_flags sluice_cuda INTERFACE_COMPILE_OPTIONS)
    string(REGEX REPLACE "^.*COMPILE_LANGUAGE:CUDA>:(.*)>$" "\\1" cuda_flags "${cuda_flags}")
    foreach(bundle Q4_K_Q6_K_F32 Q5_K_Q8_0_Q4_0 Q5_0_F16_BF16)  # of about the same length, so they can run side by side
        set(name "cuda: the kernels of ${bundle} compile for sm_80, sm_89, sm_90a and sm_100, and spill no registers")
        add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check_kernels.sh ${SLUICE_NVCC}
                 ${CMAKE_CURRENT_LIST_DIR}/kernels.cu -DBUNDLE=${bundle} ${cuda_flags}
                 -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR}/cuda)
        set_tests_properties(${name} PROPERTIES LABELS cuda SKIP_RETURN_CODE 77)
    endforeach()

    set(name "cuda: the samples' kernels compile")
    add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check_samples.sh ${SLUICE_NVCC} ${PROJECT_SOURCE_DIR}
             ${CMAKE_CURRENT_BINARY_DIR}/sample_kernels)
    set_tests_properties(${name} PROPERTIES LABELS cuda SKIP_RETURN_CODE 77)

    # What a GPU's tests and benchmarks run, so that it is not on a GPU that they first compile. No code: the kernels of
    # all formats are above.
    set(name "cuda: the kernels of the GPU's own tests compile")
    if(SLUICE_NVCC)
        add_test(NAME ${name} COMMAND ${SLUICE_NVCC} ${cuda_flags} -Werror all-warnings -arch=compute_90a -ptx
                 --fdevice-syntax-only -o /dev/null -I${PROJECT_SOURCE_DIR}/include
                 -I${PROJECT_SOURCE_DIR}/cuda -I${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_LIST_DIR}/gpu/kernels.cu)
    else()
        add_test(NAME ${name} COMMAND sh -c "echo 'SKIPPED: nvcc not found: the GPU tests were not compiled'; exit 77")
    endif()
    set_tests_properties(${name} PROPERTIES LABELS cuda SKIP_RETURN_CODE 77)
endif()

if(SLUICE_CUDA)
    add_library(gpu_kernels OBJECT cuda/gpu/kernels.cu)
    target_include_directories(gpu_kernels PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(gpu_kernels PRIVATE sluice::cuda)
    file(GLOB gpu_sources CONFIGURE_DEPENDS cuda/gpu/*_test.cpp)
    add_executable(gpu_tests ${gpu_sources} $<TARGET_OBJECTS:gpu_kernels> $<TARGET_OBJECTS:test_main>)
    set_target_properties(gpu_tests PROPERTIES UNITY_BUILD OFF)  # side by side, while nvcc compiles the kernels
    target_link_libraries(gpu_tests PRIVATE test_support sluice::cuda CUDA::cudart)
    target_precompile_headers(gpu_tests REUSE_FROM test_precompiled)
    set(gpu_tests $<TARGET_FILE:gpu_tests>)
endif()
add_test(NAME "gpu: the CPU's bits" COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/run_gpu_tests.sh ${gpu_tests})
set_tests_properties("gpu: the CPU's bits" PROPERTIES LABELS gpu SKIP_RETURN_CODE 77 TIMEOUT 300)
