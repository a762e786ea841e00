"""Canonical JSON has one form per value, and reads nothing that two readers might take differently."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory.base.canonical import MAX_INTEGER, canonical_json, number_text, parse_json, sha256_hex
from labfactory.base.errors import HandoffError, UsageError

# RFC 8785, appendix B: IEEE 754 bits and the text that ECMAScript gives them.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_print_as_rfc_8785_says(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert number_text(value) == text


def test_the_example_of_rfc_8785_comes_out() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_json(value) == expected.encode()


def test_keys_are_sorted_by_utf_16_units_as_rfc_8785_says() -> None:
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = json.loads(canonical_json(dict.fromkeys(keys)))
    assert list(written) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(-MAX_INTEGER, MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(json_values)
def test_what_is_written_is_read_back_and_written_alike(value: object) -> None:
    data = canonical_json(value)
    assert parse_json(data, canonical=True) == value
    assert json.loads(data) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_keeps_its_double(value: float) -> None:
    assert float(number_text(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        2**53 + 1,
        -(2**53) - 1,
        2.0**60,
        "\ud800",
        {"\udfff": 1},
        {1: 2},
        b"bytes",
        {1, 2},
        object(),
    ],
)
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(UsageError) as raised:
        canonical_json([value])
    assert raised.value.code == "json_value"
    assert "$[0]" in str(raised.value)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(UsageError, match="at most 32 levels"):
        canonical_json(loop)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{}",
        b"\xff",
        b'{"a":1,"a":2}',
        b'[{"a":{"b":1,"b":1}}]',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"9007199254740993",
        b"-9007199254740993",
        b"1" * 5000,
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b"[1,]",
        b"[1]x",
        b"'a'",
        b'"\n"',
        b"01",
    ],
)
def test_doubtful_json_is_refused(data: bytes) -> None:
    with pytest.raises(HandoffError) as raised:
        parse_json(data)
    assert raised.value.code == "json_malformed"


@pytest.mark.parametrize("data", [b"[ 1]", b'{"b":1,"a":2}', b"1.0", b'"\\u0041"', b"[1]\n", b"-0"])
def test_other_bytes_for_a_value_are_refused_where_canonical_ones_are_asked(data: bytes) -> None:
    parse_json(data)
    with pytest.raises(HandoffError) as raised:
        parse_json(data, canonical=True)
    assert raised.value.code == "json_malformed"


@pytest.mark.parametrize("data", [b"[" * 33 + b"]" * 33, b"[" * 200_000, b'{"a":' * 100_000])
def test_deep_json_is_refused_before_it_is_read(data: bytes) -> None:
    with pytest.raises(HandoffError) as raised:
        parse_json(data)
    assert raised.value.code == "too_large"


def test_json_of_the_largest_depth_is_read_and_brackets_in_text_count_for_nothing() -> None:
    assert parse_json(b"[" * 32 + b"]" * 32)
    assert parse_json(b'["' + b"[{" * 100 + b'\\"["]')


def test_json_beyond_its_size_is_refused() -> None:
    with pytest.raises(HandoffError) as raised:
        parse_json(b'"' + b"a" * 100 + b'"', max_bytes=101)
    assert raised.value.code == "too_large"


def test_the_digest_is_the_published_one() -> None:
    # FIPS 180-2, appendix B.1
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
