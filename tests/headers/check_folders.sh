#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails with the #include lines that the table of folders in docs/architecture.md does not allow. A row allows its own
# folder, the folders and headers it names (`core`, `cpu/simd`), and all rows before it if it says "everything above".
# Run in the project's root.
headers=$(find include/sluice cuda/sluice -mindepth 2 -name '*.[hc]*' | sort)
# shellcheck disable=SC2086  # many headers
awk '
    FNR == NR && /^[|] `(include|cuda)\/sluice\// {
        split($0, cell, "[|]")
        folder = cell[2]
        gsub(/[` ]/, "", folder)
        if (cell[4] ~ /everything above/) cell[4] = cell[4] above
        gsub(/[`,;]/, " ", cell[4])
        name = folder
        sub(/.*\//, "", name)
        above = above " " name
        allowed[folder] = " " name " " cell[4] " "
    }
    FNR == NR { next }
    /^[ \t]*#[ \t]*include "sluice\// {
        folder = FILENAME
        sub(/\/[^\/]*$/, "", folder)
        split($0, quoted, "\"")
        header = quoted[2]
        sub(/^sluice\//, "", header)
        sub(/\.[a-z]*$/, "", header)
        name = header
        sub(/\/.*/, "", name)
        lines++
        if (index(allowed[folder], " " name " ") || index(allowed[folder], " " header " ")) next
        print "  " FILENAME " includes " quoted[2]
        bad++
    }
    END {
        if (bad) print "The table of folders in docs/architecture.md does not allow these: change them, or its last column."
        if (!lines) print "No #include was found."
        exit bad || !lines
    }
' docs/architecture.md $headers
