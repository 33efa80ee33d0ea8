# SPDX-License-Identifier: Apache-2.0
# compile_fail: each *.cpp here must be refused by each compiler with the texts of its lines `// EXPECT: text`.
file(GLOB sources CONFIGURE_DEPENDS compile_fail/*.cpp)
foreach(source IN LISTS sources)
    cmake_path(GET source STEM stem)
    foreach(compiler IN LISTS compilers)
        set(name "compile_fail: ${stem} (${compiler})")
        add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/expect_error.sh ${source} ${${compiler}_command}
                 @${compile_arguments} -I${PROJECT_SOURCE_DIR}/cuda -fsyntax-only)
        set_tests_properties(${name} PROPERTIES LABELS unit)
    endforeach()
endforeach()
