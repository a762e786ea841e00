"""Writes the Unicode tables of the interpreter that runs it as C++ constants."""

import sys
import unicodedata
from pathlib import Path

Path(sys.argv[1]).write_text(
    f'inline constexpr char kUnicodeVersion[] = "{unicodedata.unidata_version}";\n', encoding="utf-8"
)
