"""A check tells which parts may become larger than their channel allows."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labfactory as lf
from labfactory.content import Channel, Creative, Part, channel


def remarks(creative: Creative, name: str) -> list[str]:
    found = creative.check(pa.table({"name": [name]}))
    return [remark.message for remark in found.remarks if remark.kind == "too_large"]


@pytest.mark.parametrize(
    ("of", "part", "fits", "larger", "message"),
    [
        ("sms", "text", 660, 661, "text may have 11 SMS segments, sms allows 10"),
        ("push", "body", 1023, 1024, "body may have 2,050 bytes of JSON, push allows 2,048"),
        ("email", "subject", 998, 999, "subject may have 999 bytes, email allows 998"),
    ],
)
def test_a_part_that_may_outgrow_its_channel_is_told(
    of: str, part: str, fits: int, larger: int, message: str
) -> None:
    parts = {one.name: "Hi" for one in channel(of).parts if one.required} | {part: "{{ name }}"}
    creative = Creative(name="hello/all", channel=channel(of), parts=parts)
    assert remarks(creative, "a" * fits) == []
    assert remarks(creative, "a" * larger) == [message]


@given(st.text(st.sampled_from("a{\u00e7\u20ac\U0001f44b"), max_size=400), st.integers(1, 5))
def test_what_a_check_lets_pass_keeps_its_messages(text: str, most: int) -> None:
    note = Channel("note", (Part(name="text", max_segments=most),))
    creative = Creative(name="hello/note", channel=note, parts={"text": "{{ name }}"})
    if not remarks(creative, text):
        assert lf.sms_segments([text]).to_pylist()[0]["segments"] <= most
