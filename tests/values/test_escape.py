"""Escaped text is MarkupSafe's, whichever kernel writes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import escape

from labfactory._core import base, values

Kernel = Callable[[str], str]
LEVELS = ["baseline", "avx2"]


def at_level(level: str, escape_at: Kernel) -> Kernel:
    def escape_limited(text: str) -> str:
        base.limit_dispatch(level)
        try:
            return escape_at(text)
        finally:
            base.limit_dispatch("avx512")

    return escape_limited


KERNELS: dict[str, Kernel] = {
    f"{kernel.__name__} at {level}": at_level(level, kernel)
    for kernel in (values.escape, values.escape_text)
    for level in LEVELS
}
# Neighbours of the special characters in value, and characters that share a nibble with them.
ALPHABET = st.sampled_from("&<>'\"\x00\x02\x06\x07\x0c\x0e!#%(;=?\\abcé€😀")
TEXTS = st.text() | st.text(ALPHABET, max_size=100) | st.text("aé&", min_size=25, max_size=70)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@given(text=TEXTS)
@example(text="")
@example(text="<a href=\"x\">it's & 'that'</a>" * 5)
def test_text_escapes_as_in_markupsafe(kernel: Kernel, text: str) -> None:
    assert kernel(text) == str(escape(text))


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_one_special_character_anywhere_is_escaped(kernel: Kernel) -> None:
    for size in range(1, 70):
        for at in range(size):
            for special in "&<>'\"":
                text = "x" * at + special + "y" * (size - at - 1)
                assert kernel(text) == str(escape(text))


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_every_byte_but_five_stays(kernel: Kernel) -> None:
    text = "".join(chr(c) for c in range(0x400))
    assert kernel(text) == str(escape(text))
