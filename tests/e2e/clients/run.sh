#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh TEST: runs one file of tests of the program $SERVE, or says what is missing and exits with 77.
set -eu
cd "$(dirname "$0")"
skip() {
    echo "SKIPPED: $1; run tests/e2e/clients/setup.sh"
    exit 77
}
[ "$(node -p 'parseInt(process.versions.node) >= 18' 2>/dev/null)" = true ] || skip "no Node.js 18 or later"
case $1 in
    curl*) command -v curl >/dev/null || skip "no curl" ;;
    page*) command -v chromium >/dev/null || skip "no chromium" ;;
esac
[ -d node_modules ] || skip "the npm packages are not installed"
exec node --test "$1"
