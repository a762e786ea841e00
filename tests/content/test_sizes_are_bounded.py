"""A check tells which parts may become larger than their channel allows."""

from __future__ import annotations

import json

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


def test_parts_that_may_outgrow_their_channel_together_are_told() -> None:
    parts = (Part(name="title", no_controls=True), Part(name="body", no_controls=True))
    both = {"title": "Hi", "body": "{{ name }}"}
    fits = 2 * 1000 + len('{"title":"","body":""}') + 2 * len("Hi")
    for most, told in (
        (fits, []),
        (fits - 1, ["all parts may have 2,026 bytes of JSON together, note allows 2,025"]),
    ):
        note = Channel("note", parts, max_payload_bytes=most)
        assert remarks(Creative(name="hello/note", channel=note, parts=both), "a" * 1000) == told
    unbounded = Creative(
        name="hello/note",
        channel=note,
        parts={**both, "title": "{% for i in range(9) %}{{ name }}{% endfor %}"},
    )
    assert remarks(unbounded, "a" * 1000) == []


def test_no_push_within_its_parts_limits_outgrows_the_platforms() -> None:
    push = channel("push")
    both = {part.name: "x" * ((part.max_json_bytes or 0) - 2) for part in push.parts}
    payload = json.dumps({"aps": {"alert": both}}, separators=(",", ":"))
    assert len(payload) <= 4096
    assert push.max_payload_bytes == 4096 - len(json.dumps({"aps": {"alert": {}}}, separators=(",", ":"))) + 2


@given(st.text(st.sampled_from("a{\u00e7\u20ac\U0001f44b"), max_size=400), st.integers(1, 5))
def test_what_a_check_lets_pass_keeps_its_messages(text: str, most: int) -> None:
    note = Channel("note", (Part(name="text", max_segments=most),))
    creative = Creative(name="hello/note", channel=note, parts={"text": "{{ name }}"})
    if not remarks(creative, text):
        assert lf.sms_segments([text]).to_pylist()[0]["segments"] <= most
