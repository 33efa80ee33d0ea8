#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails with the headers that sluice/sluice.hpp does not reach. Run in include/ with the compiler and its arguments.
# Left out on purpose:
#   sluice/cpu/simd_avx*.hpp    reached only where the compiler flags allow their instructions
#   sluice/interop/eigen.hpp    costs a second of compile time, for those who use Eigen
#   sluice/server/*.hpp         the server, for those who link sluice::server
optional='sluice/server/.*\.hpp|sluice/cpu/simd_avx[0-9]*\.hpp|sluice/interop/eigen\.hpp'

rule=$("$@" -MM -include sluice/sluice.hpp -x c++ /dev/null) || exit 1
reached=$(printf '%s' "$rule" | tr -s '[:space:]' '\n' | sed 's|.*/include/||')
unreached=$(find sluice -name '*.hpp' | grep -Ev "^($optional)$" | sort | while read -r header; do
    printf '%s\n' "$reached" | grep -qxF "$header" || echo "  $header"
done)
[ -z "$unreached" ] && exit 0
printf 'sluice/sluice.hpp does not reach\n%s\nInclude them there, or list them in tests/headers/check_reach.sh.\n' "$unreached"
exit 1
