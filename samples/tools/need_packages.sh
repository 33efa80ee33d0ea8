#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# need_packages.sh PACKAGE...: installs those of these Debian packages that are missing, as root or through sudo, or
# names them and fails. A tool that is on the PATH counts as installed, wherever it came from.
missing=
for package in "$@"; do
    command -v "${package%-build}" >/dev/null && continue
    dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed && continue
    missing="$missing $package"
done
[ -z "$missing" ] && exit 0

sudo=
[ "$(id -u)" -eq 0 ] || sudo='sudo -n'
if command -v apt-get >/dev/null && $sudo true 2>/dev/null; then
    echo "Installing Debian packages:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    # The lists of a fresh machine may be old or empty, so a failed install is tried again after an update.
    # shellcheck disable=SC2086  # words on purpose
    $sudo apt-get install -y -qq $missing >/dev/null 2>&1 </dev/null ||
        { $sudo apt-get update -qq && $sudo apt-get install -y -qq $missing; } >/dev/null </dev/null && exit 0
fi
echo "These Debian packages are missing, or their like on another system; install them and run this again:" >&2
echo "  apt-get install$missing" >&2
exit 1
