# SPDX-License-Identifier: Apache-2.0
# consumer: a user's project builds and runs against the installed package (the README's program), against the source
# tree as a subdirectory (a component alone), and through FetchContent (another).
set(stage ${PROJECT_BINARY_DIR}/consumers/stage)
add_test(NAME "consumer: install" COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${stage})
set_tests_properties("consumer: install" PROPERTIES LABELS consumer FIXTURES_SETUP installed)

set(find_package_prints ", there was a ")
set(add_subdirectory_prints "expert 1 with weight 0.500\nexpert 3 with weight 0.500")
set(fetch_content_prints "and back: Once upon a time, there was a fox.")
foreach(way find_package add_subdirectory fetch_content)
    add_test(NAME "consumer: ${way}"
             COMMAND ${CMAKE_CTEST_COMMAND}
                     --build-and-test ${CMAKE_CURRENT_LIST_DIR}/${way} ${PROJECT_BINARY_DIR}/consumers/${way}
                     --build-generator ${CMAKE_GENERATOR}
                     --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_PREFIX_PATH=${stage}
                                     "-DCMAKE_CXX_FLAGS=-O0 -march=native" -DSLUICE_DIR=${PROJECT_SOURCE_DIR}
                     --test-command consumer ${PROJECT_SOURCE_DIR}/samples/models/story-Q4_K_M.gguf)
    set_tests_properties("consumer: ${way}" PROPERTIES LABELS consumer PASS_REGULAR_EXPRESSION "${${way}_prints}")
endforeach()
set_tests_properties("consumer: find_package" PROPERTIES FIXTURES_REQUIRED installed)

# With nvcc, for one generation, where SLUICE_COMPILER_TESTS is `all`. Without a GPU the program says so.
if(SLUICE_COMPILER_TESTS STREQUAL all)
    set(name "consumer: cuda")
    if(SLUICE_NVCC)
        add_test(NAME ${name}
                 COMMAND ${CMAKE_CTEST_COMMAND}
                         --build-and-test ${CMAKE_CURRENT_LIST_DIR}/cuda ${PROJECT_BINARY_DIR}/consumers/cuda
                         --build-generator ${CMAKE_GENERATOR}
                         --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_PREFIX_PATH=${stage}
                                         -DCMAKE_CXX_FLAGS=-O0 -DCMAKE_CUDA_COMPILER=${SLUICE_NVCC}
                                         -DCMAKE_CUDA_ARCHITECTURES=90a
                         --test-command consumer ${PROJECT_SOURCE_DIR}/samples/models/story-Q4_K_M.gguf)
        set_tests_properties(${name} PROPERTIES PASS_REGULAR_EXPRESSION ", there was a |cuda: .*nvidia-smi")
    else()
        add_test(NAME ${name} COMMAND sh -c "echo 'SKIPPED: nvcc not found: no program was built with CUDA'; exit 77")
    endif()
    set_tests_properties(${name} PROPERTIES LABELS consumer FIXTURES_REQUIRED installed SKIP_RETURN_CODE 77)
endif()

# The laws fail a user's wrong router, and their verdict names the law, the input's seed, and what was got and expected.
add_test(NAME "consumer: wrong_router"
         COMMAND ${CMAKE_CTEST_COMMAND}
                 --build-and-test ${CMAKE_CURRENT_LIST_DIR}/wrong_router ${PROJECT_BINARY_DIR}/consumers/wrong_router
                 --build-generator ${CMAKE_GENERATOR}
                 --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_PREFIX_PATH=${stage}
                                 -DCMAKE_CXX_FLAGS=-O0
                 --test-command sh -c "./wrong_router || echo it ended with $?")
set(number "[0-9.e+-]+")
set(verdict "router.weights_sum_to_one on ForgetfulRouter, seed [0-9]+: sum of weights: got ${number}, expected 1 within")
string(APPEND verdict ".*it ended with 1")
set_tests_properties("consumer: wrong_router" PROPERTIES LABELS consumer FIXTURES_REQUIRED installed
                                                         PASS_REGULAR_EXPRESSION "${verdict}")

set(name "consumer: the README shows this very program")
add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check_readme.sh ${PROJECT_SOURCE_DIR}/README.md
                              ${CMAKE_CURRENT_LIST_DIR}/consumer.cpp)
set_tests_properties(${name} PROPERTIES LABELS consumer)

set(name "consumer: the laws' examples keep their laws, by the command of docs/contracts.md")
add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check_contracts_page.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(${name} PROPERTIES LABELS consumer SKIP_RETURN_CODE 77)
