# SPDX-License-Identifier: Apache-2.0
# golden: each *_test.cpp here is built for each instruction set by each compiler; it must pass in every one of them. One
# of clang's is with libc++, where there is one. It knows its own by SLUICE_ISA, the name that simd::Native must have.
file(GLOB sources CONFIGURE_DEPENDS golden/isa/*_test.cpp)
set(main_object ${CMAKE_CURRENT_BINARY_DIR}/isa_main.o)
add_custom_command(OUTPUT ${main_object} DEPENDS unit/main.cpp case_records.hpp skip.hpp VERBATIM
                   COMMAND ${CMAKE_CXX_COMPILER} @${compile_arguments} -c ${CMAKE_CURRENT_SOURCE_DIR}/unit/main.cpp
                           -o ${main_object})
set(variants)  # compiler, instruction set, standard library
foreach(compiler IN LISTS compilers)
    foreach(isa IN LISTS isas)
        list(APPEND variants "${compiler} ${isa} ")
    endforeach()
endforeach()
if("clang" IN_LIST compilers)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/has_libcxx.cpp "#include <vector>\nint main() {}\n")
    execute_process(COMMAND ${clang_command} -stdlib=libc++ ${CMAKE_CURRENT_BINARY_DIR}/has_libcxx.cpp
                            -o ${CMAKE_CURRENT_BINARY_DIR}/has_libcxx RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
    if(status EQUAL 0)
        list(GET isas 0 isa)  # which runs on every machine
        list(TRANSFORM variants APPEND "libc++" REGEX "^clang ${isa} ")
    else()
        message(STATUS "clang has no libc++ (Debian: libc++-dev libc++abi-dev): no tests with it")
    endif()
endif()

# Those of a configuration that built more are out of date: what they have left must show nothing.
if(NOT SLUICE_COMPILER_TESTS STREQUAL all)
    file(GLOB old ${PROJECT_BINARY_DIR}/bin/*_test_*_${second}*)
    if(old)
        file(REMOVE ${old})
    endif()
endif()
set(programs)
foreach(source IN LISTS sources)
    cmake_path(GET source STEM stem)
    foreach(variant IN LISTS variants)
        string(REPLACE " " ";" variant "${variant}")
        list(GET variant 0 compiler)
        list(GET variant 1 isa)
        list(GET variant 2 library)
        set(name "${stem} (${isa}, ${compiler})")
        set(program ${PROJECT_BINARY_DIR}/bin/${stem}_${isa}_${compiler})
        set(main ${main_object})
        set(flags "")
        if(library)
            set(name "${stem} (${isa}, ${compiler}, ${library})")
            set(program ${program}_${library})
            set(main ${CMAKE_CURRENT_SOURCE_DIR}/unit/main.cpp)
            set(flags -stdlib=${library})
        endif()
        add_custom_command(
            OUTPUT ${program} DEPENDS ${source} ${main_object} DEPFILE ${program}.d VERBATIM
            COMMAND ${${compiler}_command} @${compile_arguments} ${${compiler}_warnings} ${${isa}_flags} ${flags} -O1
                    -DSLUICE_ISA="${${isa}_name}" -MD -MF ${program}.d -MT ${program}
                    ${source} ${main} -o ${program} -pthread
            COMMENT "Building ${name}")
        list(APPEND programs ${program})

        add_test(NAME "golden: ${name}"
                 COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/run_if_cpu_has.sh "${${isa}_needs}" ${program})
        set_tests_properties("golden: ${name}" PROPERTIES LABELS golden SKIP_RETURN_CODE 77 FIXTURES_SETUP cases
                                                          ENVIRONMENT "${records}")
    endforeach()
endforeach()
add_custom_target(isa_tests ALL DEPENDS ${programs})
