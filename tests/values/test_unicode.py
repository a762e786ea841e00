"""Cases, white space and code points are those of CPython's str."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2.filters import do_title

from labfactory._core import values

if TYPE_CHECKING:
    from collections.abc import Callable

CHARACTERS = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]
PLANES = st.characters(exclude_categories=["Cs"])
# Letters whose cases are long, depend on neighbours or differ in title case, and what may stand between.
CASED = st.sampled_from("aZßẞŉǆǅΣσςͅΐΰﬁﬃİıİ\u0307ʼĳⅷⓐ\u0345\u00ad'.:·\u200b -({[<\u3000\x1f\u1c89\U00010400")
TEXTS = st.text(PLANES) | st.text(CASED) | st.text(PLANES | CASED)

CASES: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "upper": (values.upper, str.upper),
    "lower": (values.lower, str.lower),
    "capitalize": (values.capitalize, str.capitalize),
    "title": (values.title, do_title),
    "strip": (values.strip, str.strip),
}


def test_the_tables_have_the_unicode_version_of_this_python() -> None:
    assert unicodedata.unidata_version == values.UNICODE_VERSION


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize(
    "join",
    ["".join, " ".join, "a".join, lambda cs: "".join(f"a{c}Σ{c}a{c}Σ " for c in cs)],
    ids=["alone", "spaced", "after a letter", "around sigma"],
)
def test_every_character_maps_as_in_str(name: str, join: Callable[[list[str]], str]) -> None:
    ours, theirs = CASES[name]
    for start in range(0, len(CHARACTERS), 4096):
        text = join(CHARACTERS[start : start + 4096])
        assert ours(text) == theirs(text)


@pytest.mark.parametrize("name", ["capitalize", "strip", "title"])
def test_every_character_maps_as_in_str_at_the_start_of_a_text(name: str) -> None:
    ours, theirs = CASES[name]
    assert [c for c in CHARACTERS if ours(c + "Ab" + c) != theirs(c + "Ab" + c)] == []


def test_every_character_is_space_and_printable_as_in_str() -> None:
    assert [c for c in CHARACTERS if values.is_space(c) != c.isspace()] == []
    assert [c for c in CHARACTERS if values.is_printable(c) != c.isprintable()] == []


@pytest.mark.parametrize("name", sorted(CASES))
@given(text=TEXTS)
@example(text="")
@example(text="ΑΣ")
@example(text="Σ")
@example(text="ΑΣ.Β ΑΣ. ΑΣ\u0345")
@example(text="o'neil ß ﬁ")
@example(text="ßb")
@example(text="\u200b x\u200b")
@example(text="foo-bar\tbaz(qux){x}[y]<z>--q")
@example(text="ΣΣ-ΣΣ ΑΣ\u00adΣ")
def test_a_text_maps_as_in_python(name: str, text: str) -> None:
    ours, theirs = CASES[name]
    assert ours(text) == theirs(text)


@given(TEXTS, TEXTS)
@example("xxhixx", "x")
@example("éaé", "é")
@example("abc", "")
def test_strip_of_characters_is_cpythons(text: str, characters: str) -> None:
    assert values.strip(text, characters) == text.strip(characters)
    assert values.strip(text, text[:2]) == text.strip(text[:2])


SOME_INDEX = st.integers(-12, 12) | st.sampled_from([-(2**63), 2**63 - 1])


@given(TEXTS, SOME_INDEX, SOME_INDEX)
def test_length_and_slices_count_code_points(text: str, start: int, stop: int) -> None:
    assert values.count_code_points(text) == len(text)
    assert values.slice_text(text, start, stop) == text[start:stop]


@given(TEXTS, SOME_INDEX)
def test_an_index_counts_code_points(text: str, index: int) -> None:
    expected = text[index] if -len(text) <= index < len(text) else None
    assert values.index_text(text, index) == expected


@given(st.text(PLANES) | st.text("'\"\\\n\r\t\x00\x7f\x80\xad\u2028\ud7ff\ue000\U000e0001é😀"))
def test_a_text_has_cpythons_repr(text: str) -> None:
    assert values.repr_text(text) == repr(text)


def test_every_character_has_cpythons_repr() -> None:
    for start in range(0, len(CHARACTERS), 4096):
        text = "".join(CHARACTERS[start : start + 4096])
        assert values.repr_text(text) == repr(text)


def test_a_python_of_another_unicode_version_is_refused_by_both_versions() -> None:
    program = "import unicodedata; unicodedata.unidata_version = '1.1.5'; import labfactory._core"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert f"built for Unicode {values.UNICODE_VERSION}, but this Python has Unicode 1.1.5" in ended.stderr
    assert "ImportError" in ended.stderr
