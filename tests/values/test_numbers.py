"""Numbers and dates read as CPython prints them."""

from __future__ import annotations

import datetime as dt
import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labfactory._core import values

INTEGERS = st.integers(-(2**63), 2**63 - 1)
BIT_PATTERNS = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
DECIMALS = st.builds(
    lambda whole, places: whole / 10**places, st.integers(-(10**16), 10**16), st.integers(0, 9)
)
TIES = st.builds(lambda whole, places: whole / 2**places, st.integers(-(2**53), 2**53), st.integers(0, 60))
FLOATS = st.one_of(st.floats(), BIT_PATTERNS, DECIMALS, TIES)
FINITE = FLOATS.filter(math.isfinite)


@given(INTEGERS)
@example(-(2**63))
@example(2**63 - 1)
def test_an_integer_prints_as_str(value: int) -> None:
    assert values.write_integer(value) == str(value)


def test_every_number_of_digits_prints_as_str() -> None:
    for digits in range(19):
        for value in (10**digits - 1, 10**digits, 10**digits + 1, -(10**digits)):
            assert values.write_integer(value) == str(value)


@given(FLOATS)
@example(1e16)
@example(9999999999999998.0)
@example(1e-5)
@example(0.0001)
@example(0.00012345)
@example(99999999999.9999)
@example(100000000000.5)
@example(5e-324)
@example(1.7976931348623157e308)
@example(-0.0)
@example(math.inf)
@example(-math.inf)
@example(math.nan)
@example(0.1 + 0.2)
@example(9007199254740993.0)
def test_a_float_prints_as_repr(value: float) -> None:
    assert values.write_repr(value) == repr(value)


@given(st.integers(0, 10**16 - 1) | st.integers(2**53, 10**16), st.integers(0, 12))
def test_large_whole_floats_print_as_repr(whole: int, zeros: int) -> None:
    for value in (float(whole), float(whole // 10**zeros * 10**zeros), math.nextafter(whole, math.inf)):
        assert values.write_repr(value) == repr(value)


def test_prices_and_rates_print_as_repr() -> None:
    for cents in range(0, 20_000, 7):
        for scale in (1, 10, 100, 1000, 10_000, 100_000):
            assert values.write_repr(cents / scale) == repr(cents / scale)


@given(FLOATS, st.integers(0, 25))
@example(0.125, 2)
@example(0.375, 2)
@example(2.5, 0)
@example(-0.4, 0)
@example(1.005, 2)
@example(999999.995, 2)
@example(0.5, 0)
@example(2.0**63, 0)
@example(2.0**64, 0)
@example(18446744073709549568.0, 0)
@example(1e22, 5)
@example(5e-324, 19)
@example(math.inf, 2)
@example(-math.nan, 2)
def test_a_float_of_fixed_places_prints_as_percent_f(value: float, places: int) -> None:
    assert values.write_fixed(value, places) == f"{value:.{places}f}"


@given(FLOATS, st.integers(26, 400))
def test_many_places_print_as_percent_f(value: float, places: int) -> None:
    assert values.write_fixed(value, places) == f"{value:.{places}f}"


def test_fixed_places_need_zero_or_more() -> None:
    with pytest.raises(ValueError, match="0 or more, found -1"):
        values.write_fixed(1.0, -1)


@given(FINITE, st.integers(-330, 330) | st.integers(-5, 5))
@example(2.5, 0)
@example(3.5, 0)
@example(1.005, 2)
@example(2.675, 2)
@example(5.0, -1)
@example(15.0, -1)
@example(15.000000000000002, -1)
@example(25.0, -1)
@example(-0.2, 0)
@example(1.5e308, -308)
@example(1.7e308, -307)
@example(5e-324, 323)
@example(9007199254740992.5, 1)
@example(99.99, -2)
def test_a_rounded_float_is_cpythons(value: float, places: int) -> None:
    try:
        expected = round(value, places)
    except OverflowError:
        expected = math.copysign(math.inf, value)
    assert math.copysign(1, values.round_to(value, places)) == math.copysign(1, expected)
    assert values.round_to(value, places) == expected


@given(INTEGERS, st.integers(-22, 3))
@example(15, -1)
@example(25, -1)
@example(-25, -1)
@example(1250, -2)
@example(5 * 10**18, -19)
@example(2**63 - 1, -1)
@example(-(2**63), -1)
@example(-(2**63), -18)
def test_a_rounded_integer_is_cpythons_or_an_overflow(value: int, places: int) -> None:
    expected = round(value, places)
    if -(2**63) <= expected < 2**63:
        assert values.round_integer(value, places) == expected
    else:
        with pytest.raises(OverflowError, match="64 bits"):
            values.round_integer(value, places)


@given(st.dates())
@example(dt.date.min)
@example(dt.date.max)
@example(dt.date(2000, 2, 29))
def test_a_date_prints_as_str(date: dt.date) -> None:
    assert values.write_date((date - dt.date(1970, 1, 1)).days) == str(date)


@given(st.datetimes())
@example(dt.datetime.min)  # noqa: DTZ901
@example(dt.datetime.max)  # noqa: DTZ901
@example(dt.datetime(1969, 12, 31, 23, 59, 59, 999999))
@example(dt.datetime(2024, 2, 29, 12, 0))
def test_a_timestamp_prints_as_str(moment: dt.datetime) -> None:
    elapsed = moment - dt.datetime(1970, 1, 1)
    assert values.write_timestamp(elapsed // dt.timedelta(microseconds=1)) == str(moment)


@pytest.mark.parametrize("days", [-719163, 2932897, -(2**63), 2**63 - 1])
def test_a_date_beyond_pythons_years_is_none(days: int) -> None:
    assert values.write_date(days) is None
    if abs(days) < 2**40:
        assert values.write_timestamp(days * 86_400_000_000) is None
    else:
        assert values.write_timestamp(days) is None


def check_parse(text: str) -> None:
    try:
        expected = int(text)
    except ValueError:
        assert values.parse_integer(text) is None
        return
    if -(2**63) <= expected < 2**63:
        assert values.parse_integer(text) == expected
    else:
        with pytest.raises(OverflowError, match="64 bits"):
            values.parse_integer(text)


@given(
    st.integers().map(str)
    | INTEGERS.map(str)
    | INTEGERS.map("{:_}".format)
    | st.text(st.sampled_from("0123456789_+- \t\u2003\u0663\u0967\U0001d7d8\u00b2x."), max_size=12)
    | st.text(max_size=6)
)
def test_an_integer_is_read_as_by_int(text: str) -> None:
    check_parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "+", "--1", "+ 1", "1_000", "1__0", "_1", "1_", "7 _", "0x10"],
        *["007", "3.9", "1 2", "12\x00"],
        *[" 42\n", "\x1c7\x1f", "\x1c\u0663", "\u00a07\u2003 ", "\u00857", "\u0664\u0662"],
        *["9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"],
        *["0" * 4300, "0" * 4301, "9" * 4300, "1" * 4301, " " * 5000 + "7"],
    ],
)
def test_an_unusual_integer_is_read_as_by_int(text: str) -> None:
    check_parse(text)
