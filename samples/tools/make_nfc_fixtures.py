#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/nfc.json: strings of characters that normalization touches, and their NFC by Python.

    python3.13 samples/tools/make_nfc_fixtures.py > tests/golden/nfc.json

Needs a Python whose Unicode is no older than that of include/sluice/text/unicode_tables.hpp.
"""
import json
import random
import unicodedata

SCALARS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
MARKS = [char for char in SCALARS if unicodedata.combining(char)]
DECOMPOSING = [char for char in SCALARS if unicodedata.normalize("NFD", char) != char]
JAMO = [chr(code) for code in range(0x1100, 0x1200)]
LETTERS = list("aeiouAEIOU")


def main():
    choose = random.Random(1)

    def text():
        longest = choose.choice([4, 12, 40])
        kinds = choose.choices([MARKS, DECOMPOSING, JAMO, LETTERS], weights=[6, 2, 1, 3], k=choose.randint(1, longest))
        return "".join(choose.choice(kind) for kind in kinds)

    strings = [text() for _ in range(300)]
    print("[")
    print(",\n".join(json.dumps([each, unicodedata.normalize("NFC", each)]) for each in strings))
    print("]")


if __name__ == "__main__":
    main()
