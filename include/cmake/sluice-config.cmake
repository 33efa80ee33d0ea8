# SPDX-License-Identifier: Apache-2.0
# What find_package(sluice CONFIG) reads: the dependencies, then the targets sluice::*.
include(CMakeFindDependencyMacro)
list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
find_dependency(Threads)
find_dependency(xxHash)
list(REMOVE_ITEM CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
find_dependency(Eigen3 NO_MODULE)
include("${CMAKE_CURRENT_LIST_DIR}/sluice-targets.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/sluice-server.cmake")
