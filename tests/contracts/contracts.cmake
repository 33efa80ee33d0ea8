# SPDX-License-Identifier: Apache-2.0
# contract: contracts/check judges the contracts by what the test cases left behind, and is itself shown to find each
# kind of fault.
find_package(yaml-cpp REQUIRED)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/contracts/check/*.cpp)
add_executable(contracts_check ${sources})
target_compile_definitions(contracts_check PRIVATE SLUICE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                   SLUICE_BUILD_DIR="${PROJECT_BINARY_DIR}")
target_link_libraries(contracts_check PRIVATE sluice_program yaml-cpp nlohmann_json::nlohmann_json)

set(name "contracts: check")
add_test(NAME ${name} COMMAND contracts_check)
set_tests_properties(${name} PROPERTIES LABELS contract FIXTURES_REQUIRED cases)

add_test_folder(contracts contract)
add_dependencies(contracts_tests contracts_check)
