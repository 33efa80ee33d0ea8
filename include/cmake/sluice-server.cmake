# SPDX-License-Identifier: Apache-2.0
# Defines sluice::server, the headers of sluice/server/, where cpp-httplib and nlohmann-json are found. Debian compiles
# cpp-httplib with options that change its types: pkg-config knows them.
find_package(nlohmann_json 3 QUIET)
find_package(PkgConfig QUIET)
if(PKG_CONFIG_FOUND)
    pkg_check_modules(SLUICE_HTTPLIB QUIET IMPORTED_TARGET GLOBAL cpp-httplib)
endif()
if(nlohmann_json_FOUND AND SLUICE_HTTPLIB_FOUND AND NOT TARGET sluice::server)
    add_library(sluice::server INTERFACE IMPORTED GLOBAL)
    target_link_libraries(sluice::server INTERFACE sluice::sluice nlohmann_json::nlohmann_json
                                                   PkgConfig::SLUICE_HTTPLIB)
endif()
