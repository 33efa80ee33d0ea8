# SPDX-License-Identifier: Apache-2.0
# The target `fuzz` builds each *_fuzz.cpp as a libFuzzer program with sanitizers (clang only).
add_custom_target(fuzz)
file(GLOB sources CONFIGURE_DEPENDS fuzz/*_fuzz.cpp)
foreach(source IN LISTS sources)
    cmake_path(GET source STEM program)
    add_executable(${program} EXCLUDE_FROM_ALL ${source})
    target_compile_options(${program} PRIVATE -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all)
    target_link_options(${program} PRIVATE -fsanitize=fuzzer,address,undefined)
    target_link_libraries(${program} PRIVATE sluice_program)
    add_dependencies(fuzz ${program})
endforeach()
