"""The filters over text give Jinja2's and CPython's answers."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from jinja2 import Environment
from jinja2.filters import do_truncate
from markupsafe import Markup

from labfactory._core import values

ENVIRONMENT = Environment(autoescape=True)
WORDS = st.text("ab é😀<&", max_size=30)
COUNTS = st.integers(-3, 12) | st.sampled_from([-(2**63), 2**63 - 1])


@given(
    WORDS,
    st.integers(0, 20) | st.just(2**63 - 1),
    st.booleans(),
    st.text("….é", max_size=4),
    st.integers(0, 7),
)
@example("foo bar baz qux", 9, False, "...", 5)
@example("foo bar baz qux", 9, True, "...", 0)
@example("foo bar baz qux", 11, False, "...", 0)
@example("foobarbazqux", 3, False, "...", 0)
@example("a b", 0, False, "", 0)
def test_truncate_is_jinjas(text: str, length: int, killwords: bool, end: str, leeway: int) -> None:
    assume(length >= len(end))
    expected = do_truncate(ENVIRONMENT, text, length, killwords, end, leeway)
    assert values.truncate(text, length, killwords, end, leeway) == expected


def test_truncate_of_markup_escapes_the_end() -> None:
    text = Markup("<i>a long text</i>")
    expected = do_truncate(ENVIRONMENT, text, 9, False, " & …", 0)
    assert values.truncate(text, 9, False, " & …", 0, escape_end=True) == str(expected) == "<i>a &amp; …"


@pytest.mark.parametrize(("length", "leeway"), [(2, 5), (-1, 5), (9, -1)])
def test_truncate_refuses_what_jinja_asserts(length: int, leeway: int) -> None:
    with pytest.raises(AssertionError):
        do_truncate(ENVIRONMENT, "text", length, False, "...", leeway)
    assert values.truncate("text", length, False, "...", leeway) is None


@given(st.text("abé😀", max_size=20), st.text("abé", max_size=3), st.text("xaé😀", max_size=4), COUNTS)
@example("abc", "", "-", -1)
@example("abc", "", "-", 2)
@example("abc", "", "-", 4)
@example("", "", "-", -1)
@example("", "", "-", 0)
@example("aaa", "a", "aa", -1)
@example("aaa", "aa", "", -1)
def test_replace_is_cpythons(text: str, old: str, new: str, count: int) -> None:
    assert values.replace(text, old, new, count) == text.replace(old, new, count)


@given(st.text("ab", max_size=20), st.text("ab", max_size=2), st.text("xyz", max_size=9), st.integers(0, 60))
def test_replace_stops_at_its_limit(text: str, old: str, new: str, limit: int) -> None:
    expected = text.replace(old, new)
    assert values.replace(text, old, new, -1, limit) == (expected if len(expected) <= limit else None)


@given(st.lists(st.text("abé", max_size=5), max_size=6), st.text("é, ", max_size=3), st.integers(0, 60))
def test_join_is_cpythons_up_to_its_limit(pieces: list[str], separator: str, limit: int) -> None:
    expected = separator.join(pieces)
    assert values.join(pieces, separator) == expected
    assert values.join(pieces, separator, limit) == (expected if len(expected.encode()) <= limit else None)


def test_a_huge_replacement_takes_no_memory() -> None:
    million = "a" * 1_000_000
    assert values.replace(million, "a", million, -1, 1 << 30) is None
    assert values.replace(million, "", million, -1, 1 << 30) is None
    assert values.join(["a"] * 1_000_000, million, 1 << 30) is None
