# SPDX-License-Identifier: Apache-2.0
# The compilers that the tests call by hand: the one that builds the project and, where SLUICE_COMPILER_TESTS is `all`
# and it is present, the other of gcc and clang.
# compilers: their names; gcc_command and clang_command: their paths.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    set(compilers gcc clang)
    find_program(SLUICE_OTHER_COMPILER clang++)
else()
    set(compilers clang gcc)
    find_program(SLUICE_OTHER_COMPILER g++)
endif()
mark_as_advanced(SLUICE_OTHER_COMPILER)
list(GET compilers 0 first)
list(GET compilers 1 second)
set(${first}_command ${CMAKE_CXX_COMPILER})
set(${second}_command ${SLUICE_OTHER_COMPILER})
if(NOT SLUICE_COMPILER_TESTS STREQUAL all)
    list(REMOVE_ITEM compilers ${second})
elseif(NOT SLUICE_OTHER_COMPILER)
    message(STATUS "${second} not found: no tests with it")
    list(REMOVE_ITEM compilers ${second})
endif()

# A response file for either compiler: what a target with test_support gets, without the instruction set.
set(compile_arguments "${CMAKE_CURRENT_BINARY_DIR}/compile_arguments")
set(include_folders $<TARGET_PROPERTY:test_main,INCLUDE_DIRECTORIES>)
string(REGEX REPLACE "([][+.*?()^$|])" "\\\\\\1" ours "${PROJECT_SOURCE_DIR}/")
list(JOIN warnings " " warning_line)
file(GENERATE OUTPUT ${compile_arguments} CONTENT
"-std=c++20 -ffp-contract=off -Werror ${warning_line}
'-I$<JOIN:$<FILTER:${include_folders},INCLUDE,^${ours}>,'
'-I>'
'-idirafter$<JOIN:$<FILTER:${include_folders},EXCLUDE,^${ours}>,'
'-idirafter>'
'-D$<JOIN:$<TARGET_PROPERTY:test_main,COMPILE_DEFINITIONS>,'
'-D>'
")

# The instruction sets that are promised to give the same bits: the name of the back end that
# simd::Native then is, the compiler flags, and what a CPU must have to run such a program.
set(isas)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(isas scalar avx2 avx512)
    set(scalar_name "scalar")
    set(scalar_flags -march=x86-64)
    set(scalar_needs "")
    set(avx2_name "AVX2")
    set(avx2_flags -march=x86-64-v3)
    set(avx2_needs "avx2 fma f16c bmi2")
    set(avx512_name "AVX-512 VNNI")
    set(avx512_flags -march=x86-64-v4 -mavx512vnni)
    set(avx512_needs "avx512f avx512bw avx512cd avx512dq avx512vl avx512_vnni")
endif()
