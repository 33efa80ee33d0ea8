# SPDX-License-Identifier: Apache-2.0
# Finds the header of xxHash and offers it as xxHash::xxhash. Sluice uses it inline, so no library is linked.
find_path(xxHash_INCLUDE_DIR xxhash.h)
mark_as_advanced(xxHash_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(xxHash REQUIRED_VARS xxHash_INCLUDE_DIR REASON_FAILURE_MESSAGE
    "install libxxhash-dev (Debian), xxhash-devel (Fedora), or set xxHash_INCLUDE_DIR to the folder of xxhash.h")

if(xxHash_FOUND AND NOT TARGET xxHash::xxhash)
    add_library(xxHash::xxhash INTERFACE IMPORTED)
    target_include_directories(xxHash::xxhash INTERFACE "${xxHash_INCLUDE_DIR}")
endif()
