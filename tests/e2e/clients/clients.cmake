# SPDX-License-Identifier: Apache-2.0
# clients: programs that are not ours, as clients of serve. Pictures of the chat page go to build/PRESET/pictures/.
set(pictures ${PROJECT_BINARY_DIR}/pictures)
file(MAKE_DIRECTORY ${pictures})
foreach(client curl openai page)
    set(name "clients: ${client}")
    add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/run.sh ${client}_test.mjs)
    set_tests_properties(${name} PROPERTIES LABELS e2e SKIP_RETURN_CODE 77 TIMEOUT 120
                         ENVIRONMENT "SERVE=${PROJECT_BINARY_DIR}/bin/serve;PICTURES=${pictures}")
endforeach()
