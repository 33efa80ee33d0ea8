# SPDX-License-Identifier: Apache-2.0
# golden: each *_test.cpp here is built for each instruction set by each compiler, and must pass in every one of them. It
# knows its own by SLUICE_ISA, the name of the back end that simd::Native must be.
file(GLOB sources CONFIGURE_DEPENDS golden/isa/*_test.cpp)
set(main_object ${CMAKE_CURRENT_BINARY_DIR}/isa_main.o)
add_custom_command(OUTPUT ${main_object} DEPENDS unit/main.cpp case_records.hpp skip.hpp VERBATIM
                   COMMAND ${CMAKE_CXX_COMPILER} @${compile_arguments} -c ${CMAKE_CURRENT_SOURCE_DIR}/unit/main.cpp
                           -o ${main_object})
set(programs)
foreach(source IN LISTS sources)
    cmake_path(GET source STEM stem)
    foreach(compiler IN LISTS compilers)
        foreach(isa IN LISTS isas)
            set(program ${PROJECT_BINARY_DIR}/bin/${stem}_${isa}_${compiler})
            add_custom_command(
                OUTPUT ${program} DEPENDS ${source} ${main_object} DEPFILE ${program}.d VERBATIM
                COMMAND ${${compiler}_command} @${compile_arguments} ${${compiler}_warnings} ${${isa}_flags} -O1
                        -DSLUICE_ISA="${${isa}_name}" -MD -MF ${program}.d -MT ${program}
                        ${source} ${main_object} -o ${program} -pthread
                COMMENT "Building ${stem} for ${isa} with ${compiler}")
            list(APPEND programs ${program})

            set(name "golden: ${stem} (${isa}, ${compiler})")
            add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/run_if_cpu_has.sh "${${isa}_needs}" ${program})
            set_tests_properties(${name} PROPERTIES LABELS golden SKIP_RETURN_CODE 77 FIXTURES_SETUP cases
                                                    ENVIRONMENT "${records}")
        endforeach()
    endforeach()
endforeach()
add_custom_target(isa_tests ALL DEPENDS ${programs})
