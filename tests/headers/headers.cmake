# SPDX-License-Identifier: Apache-2.0
# header: sluice.hpp compiles alone, twice over, with no flags but the promised ones, and reaches every header; folders
# include what docs/architecture.md allows; and two translation units that include everything link. Where
# SLUICE_COMPILER_TESTS is `all`, every header compiles alone, and sluice.hpp with the other compiler too.
function(add_header_test header compiler)
    set(flags "")
    if(header MATCHES "simd_(avx.*)\\.hpp")  # reached only where the compiler flags allow its instructions
        set(flags ${${CMAKE_MATCH_1}_flags})
    endif()
    set(name "header: ${header} compiles alone (${compiler})")
    add_test(NAME ${name} COMMAND ${${compiler}_command} @${compile_arguments} ${flags} -fsyntax-only
             -include ${header} -include ${header} -x c++ /dev/null)
    set_tests_properties(${name} PROPERTIES LABELS header)
endfunction()

file(GLOB_RECURSE all_headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include
     ${PROJECT_SOURCE_DIR}/include/sluice/*.hpp)
if(NOT TARGET sluice::server)
    list(FILTER all_headers EXCLUDE REGEX "^sluice/server/")
endif()
set(other_compilers ${compilers})
list(POP_FRONT other_compilers own_compiler)
if(NOT SLUICE_COMPILER_TESTS STREQUAL all)
    set(all_headers sluice/sluice.hpp)
endif()
foreach(header IN LISTS all_headers)
    add_header_test(${header} ${own_compiler})
endforeach()
foreach(compiler IN LISTS other_compilers)
    add_header_test(sluice/sluice.hpp ${compiler})
endforeach()

# The laws' headers compile together with the other compiler too; with this one, their tests have shown it.
file(GLOB_RECURSE law_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/contracts/sluice/*.hpp)
list(TRANSFORM law_headers PREPEND "-include;")
foreach(compiler IN LISTS other_compilers)
    set(name "header: the contracts compile together (${compiler})")
    add_test(NAME ${name} COMMAND ${${compiler}_command} @${compile_arguments} ${${compiler}_warnings} -fsyntax-only
             ${law_headers} -x c++ /dev/null)
    set_tests_properties(${name} PROPERTIES LABELS header)
endforeach()

set(name "header: sluice.hpp reaches every header")
add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check_reach.sh ${CMAKE_CXX_COMPILER} @${compile_arguments}
         WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/include)
set_tests_properties(${name} PROPERTIES LABELS header)

set(name "header: folders include what docs/architecture.md allows")
add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/check_folders.sh WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(${name} PROPERTIES LABELS header)

add_executable(everything_twice headers/everything_twice.cpp headers/everything_again.cpp)
target_link_libraries(everything_twice PRIVATE test_support)
set_target_properties(everything_twice PROPERTIES UNITY_BUILD OFF)
set(name "header: two translation units that include everything link")
add_test(NAME ${name} COMMAND everything_twice)
set_tests_properties(${name} PROPERTIES LABELS header)
