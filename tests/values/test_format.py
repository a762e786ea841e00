"""A printf format gives the bytes of `str % arguments`, or is refused when it is read."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labfactory._core import values
from labfactory.base.errors import CompileError

FLAGS = st.text("-+ 0#", max_size=3)
WIDTHS = st.just("") | st.integers(1, 40).map(str)
PRECISIONS = st.just("") | st.just(".") | st.integers(0, 30).map(".{}".format)
LENGTHS = st.sampled_from(["", "", "h", "l", "L"])
BIT_PATTERNS = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
FLOATS = st.one_of(
    st.floats(),
    BIT_PATTERNS,
    st.floats(-1e6, 1e6),
    st.integers(-(10**6), 10**6).map(lambda cents: cents / 100),
)
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)
TEXTS = st.text(max_size=12) | st.text("é😀'\"\n", max_size=6)


def conversions(types: str) -> st.SearchStrategy[str]:
    return st.builds("%{}{}{}{}{}".format, FLAGS, WIDTHS, PRECISIONS, LENGTHS, st.sampled_from(types))


@given(conversions("diuxXoeEfFgGsr"), INTEGERS)
@example("%x", -255)
@example("%#X", -255)
@example("%#010o", 8)
@example("%.3d", -5)
@example("%+05d", 3)
@example("% d", 3)
@example("%-05d|", -3)
@example("%#x", 0)
def test_an_integer_formats_as_in_python(template: str, value: int) -> None:
    assert values.Format(template).apply(value) == template % value


@given(conversions("diueEfFgGsr"), FLOATS)
@example("%.2f", 0.125)
@example("%05.1f", -3.14159)
@example("%g", 1e-5)
@example("%g", 0.0001)
@example("%g", 1e6)
@example("%#g", 1e5)
@example("%#g", 999999.5)
@example("%#.1g", 2.0)
@example("%#.0e", 2.0)
@example("%#.0f", 2.0)
@example("%#.3g", 0.00001234)
@example("%.0g", 0.0)
@example("%e", 1e100)
@example("%010f", math.inf)
@example("%+010f", -math.inf)
@example("%+F", math.nan)
@example("%s", 1e16)
@example("%.3d", 3.99)
@example("%d", -0.5)
@example("%d", 1e22)
def test_a_float_formats_as_in_python(template: str, value: float) -> None:
    try:
        expected = template % value
    except (OverflowError, ValueError):
        with pytest.raises(ValueError, match="does not go with %d"):
            values.Format(template).apply(value)
    else:
        assert values.Format(template).apply(value) == expected


@given(conversions("sr"), TEXTS)
@example("%5.1s|", "😀é")
@example("%-5s|", "é")
@example("%05s", "a")
@example("%.2r", "abc")
def test_a_text_formats_as_in_python(template: str, value: str) -> None:
    assert values.Format(template).apply(value) == template % value


@given(conversions("c"), st.characters(exclude_categories=["Cs"]))
def test_a_character_formats_as_in_python(template: str, value: str) -> None:
    assert values.Format(template).apply(value) == template % value
    assert values.Format(template).apply(ord(value)) == template % ord(value)


@pytest.mark.parametrize(
    ("template", "value", "error"),
    [
        ("%d", "3", TypeError),
        ("%f", "3", TypeError),
        ("%x", 3.0, TypeError),
        ("%c", 3.0, TypeError),
        ("%c", "ab", TypeError),
        ("%c", "", TypeError),
        ("%d", math.nan, ValueError),
        ("%c", -1, ValueError),
        ("%c", 0x110000, ValueError),
    ],
)
def test_an_argument_that_python_refuses_is_a_fault(template: str, value: float | str, error: type) -> None:
    with pytest.raises((error, OverflowError)):
        _ = template % value
    with pytest.raises(error, match="does not go with"):
        values.Format(template).apply(value)


@given(
    st.lists(st.text("ab %é", max_size=5).map(lambda text: text.replace("%", "%%")), min_size=4, max_size=4),
    INTEGERS,
    FLOATS,
    TEXTS,
)
def test_literals_and_arguments_stand_in_order(
    literals: list[str], number: int, real: float, text: str
) -> None:
    template = "{}%d{}%.2f{}%s{}".format(*literals)
    assert values.Format(template).argument_count == 3
    assert values.Format(template).apply(number, real, text) == template % (number, real, text)


@pytest.mark.parametrize("template", ["", "100%%", "%%%%d", "plain é"])
def test_a_format_may_take_no_argument(template: str) -> None:
    assert values.Format(template).argument_count == 0
    assert values.Format(template).apply() == template % ()


@pytest.mark.parametrize(
    "template",
    [
        "%",
        "a %",
        "%5",
        "%.",
        "%5.",
        "%l",
        "%y",
        "%é",
        "%5.2q",
        "%ld%",
        "%-",
        "%5%",
        "%l%",
        "%-%",
        "%%%",
        "%lld",
    ],
)
def test_a_format_that_python_refuses_is_refused(template: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        _ = template % (1, 2)
    with pytest.raises(CompileError, match="expected a printf format") as refused:
        values.Format(template)
    assert refused.value.code == "format"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("%(name)s", r"%\(name\) conversions are not supported"),
        ("%*d", r"width of \* is not supported"),
        ("%.*f", r"precision of \* is not supported"),
        ("%a", "unsupported conversion '%a'"),
        ("%1001d", "width is at most 1000"),
        ("%.1001f", "precision is at most 1000"),
        ("%99999999999999999999d", "width is at most 1000"),
    ],
)
def test_a_format_beyond_the_language_is_refused_by_name(template: str, reason: str) -> None:
    with pytest.raises(CompileError, match=reason) as refused:
        values.Format(template)
    assert refused.value.code == "format"


@pytest.mark.parametrize("value", [1.5, 1.7976931348623157e308, 5e-324, math.inf, 0.0])
@pytest.mark.parametrize("template", ["%#01000.1000f", "%1000.1000e", "%#-1000.1000g", "%+01000.1000d"])
def test_the_widest_format_fits_its_buffer(template: str, value: float) -> None:
    if template.endswith("d"):
        value = 0.0 if math.isinf(value) else value
    assert values.Format(template).apply(value) == template % value
    assert values.Format(template).apply(-7) == template % -7
