# SPDX-License-Identifier: Apache-2.0
# style: every C++ file is as clang-format writes it. The target `tidy` runs clang-tidy over the samples, and through
# them over the headers, as templates show their faults only where they are used.
find_program(SLUICE_CLANG_FORMAT NAMES clang-format-14 clang-format)
find_program(SLUICE_CLANG_TIDY NAMES clang-tidy-14 clang-tidy)
mark_as_advanced(SLUICE_CLANG_FORMAT SLUICE_CLANG_TIDY)

set(name "style: clang-format changes nothing")
add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check_format.sh ${SLUICE_CLANG_FORMAT}
         WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(${name} PROPERTIES LABELS style SKIP_RETURN_CODE 77)

if(SLUICE_CLANG_TIDY AND CMAKE_EXPORT_COMPILE_COMMANDS)
    file(GLOB programs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/samples/*.cpp)
    add_custom_target(tidy VERBATIM COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/tidy.sh ${SLUICE_CLANG_TIDY} ${PROJECT_BINARY_DIR}
                      ${programs} ${CMAKE_CURRENT_SOURCE_DIR}/headers/everything_twice.cpp)
endif()
