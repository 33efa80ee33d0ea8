#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the client tests need: Node.js, Chromium, and the packages of package-lock.json. Without them the tests
# are skipped.
set -eu
cd "$(dirname "$0")"
sh ../../../samples/tools/need_packages.sh nodejs npm chromium curl
npm ci --silent
