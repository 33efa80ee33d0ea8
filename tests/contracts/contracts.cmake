# SPDX-License-Identifier: Apache-2.0
# contract: contracts/check judges the contracts by what the test cases left behind, and is itself shown to find each
# kind of fault.
find_package(yaml-cpp REQUIRED)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/contracts/check/*.cpp)
add_executable(contracts_check ${sources})
target_compile_definitions(contracts_check PRIVATE SLUICE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                   SLUICE_BUILD_DIR="${PROJECT_BINARY_DIR}")
target_compile_options(contracts_check PRIVATE $<$<CONFIG:Release>:-O1>)  # as the tests
target_link_libraries(contracts_check PRIVATE sluice_program yaml-cpp nlohmann_json::nlohmann_json)

set(name "contracts: check")
add_test(NAME ${name} COMMAND contracts_check)
# A fixture's cleanup comes after all of the cases that run, and also where one of them fails.
set_tests_properties(${name} PROPERTIES LABELS contract FIXTURES_CLEANUP cases)

add_test_program(contracts_tests contract contracts)
add_dependencies(contracts_tests contracts_check)
